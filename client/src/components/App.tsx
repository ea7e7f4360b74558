import { useState } from 'preact/hooks';
import type { ClientConfig } from '../config';
import type { Phone } from '../phone';
import { AccountCard } from './AccountCard';
import { Banner } from './Banner';
import { Devices } from './Devices';
import { Dialer } from './Dialer';
import { Ledge } from './Ledge';
import { Ringer } from './Ringer';
import { Stage } from './Stage';
import { Story } from './Story';
import { Strip } from './Strip';
import { TopBar } from './TopBar';
import { Transfer } from './Transfer';
import { Voices } from './Voices';

interface Props {
  phone: Phone;
  config: ClientConfig;
}

/** What lies over the page or, on a phone, in place of the pictures. */
export type Panel = 'none' | 'devices' | 'story' | 'transfer';

export function App({ phone, config }: Props) {
  const [panel, setPanel] = useState<Panel>('none');
  const [pad, setPad] = useState(false);
  const phase = phone.phase.value;
  return (
    <div class="app" data-phase={phase} data-connection={phone.connection.value} data-pad={pad ? 'open' : 'closed'}>
      <TopBar phone={phone} version={config.version} onStory={() => setPanel('story')} />
      <aside class="rail">
        <AccountCard phone={phone} accounts={config.demo?.accounts ?? []} />
        <Dialer phone={phone} numbers={config.demo?.numbers ?? []} />
      </aside>
      <main class="stage">
        <Banner phone={phone} />
        <Strip phone={phone} />
        <Stage phone={phone} />
      </main>
      <Ledge
        phone={phone}
        pad={pad}
        onPad={() => setPad(!pad)}
        onDevices={() => setPanel('devices')}
        onTransfer={() => setPanel('transfer')}
      />
      <Devices media={phone.media} open={panel === 'devices'} onClose={() => setPanel('none')} />
      <Story phone={phone} open={panel === 'story'} onClose={() => setPanel('none')} />
      <Transfer phone={phone} numbers={config.demo?.numbers ?? []} open={panel === 'transfer'} onClose={() => setPanel('none')} />
      <Voices streams={phone.roster.voices} />
      {phase === 'incoming' && <Ringer />}
    </div>
  );
}
