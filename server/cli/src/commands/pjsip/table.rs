//! The tables of `pjsip show …`, column by column as Asterisk prints them.

use std::sync::Arc;

use config::{Aor, Auth, Subscriber, TransportConfig};
use md5::{Digest as _, Md5};
use signal::{ContactStatus, Registered};
use switch::ChannelState;

use super::View;
use super::objects::identify_rows;

pub(super) const RULE: &str =
    "==========================================================================================\n";

const ENDPOINT_HEAD: &str =
    " Endpoint:  <Endpoint/CID.....................................>  <State.....>  <Channels.>
    I/OAuth:  <AuthId/UserName...........................................................>
        Aor:  <Aor............................................>  <MaxContact>
      Contact:  <Aor/ContactUri..........................> <Hash....> <Status> <RTT(ms)..>
  Transport:  <TransportId........>  <Type>  <cos>  <tos>  <BindAddress..................>
   Identify:  <Identify/Endpoint.........................................................>
        Match:  <criteria.........................>
    Channel:  <ChannelId......................................>  <State.....>  <Time.....>
        Exten: <DialedExten...........>  CLCID: <ConnectedLineCID.......>
";

const AOR_HEAD: &str =
    "      Aor:  <Aor..............................................>  <MaxContact>
    Contact:  <Aor/ContactUri............................> <Hash....> <Status> <RTT(ms)..>
";

const CONTACT_HEAD: &str =
    "  Contact:  <Aor/ContactUri..............................> <Hash....> <Status> <RTT(ms)..>\n";

const AUTH_HEAD: &str =
    "    I/OAuth:  <AuthId/UserName...........................................................>\n";

const TRANSPORT_HEAD: &str =
    "Transport:  <TransportId........>  <Type>  <cos>  <tos>  <BindAddress....................>\n";

/// `pjsip show endpoints`.
pub(super) fn endpoints(view: &View, transports: &[TransportConfig]) -> String {
    let rows = view.subscribers.iter();
    let rows: String = rows
        .map(|one| endpoint_rows(one, view, transports) + "\n")
        .collect();
    let found = found(view.subscribers.len());
    format!("{ENDPOINT_HEAD}{RULE}\n{rows}\n{found}")
}

/// What `pjsip show endpoint` begins with.
pub(super) fn endpoint(view: &View, transports: &[TransportConfig]) -> String {
    let rows = view.subscribers.iter();
    let rows: String = rows
        .map(|one| endpoint_rows(one, view, transports))
        .collect();
    format!("{ENDPOINT_HEAD}{RULE}\n{rows}\n\n")
}

fn endpoint_rows(subscriber: &Subscriber, view: &View, transports: &[TransportConfig]) -> String {
    let endpoint = &subscriber.endpoint;
    let named = match &endpoint.caller_id {
        Some(id) if !id.number.is_empty() => format!("{}/{}", endpoint.id, id.number),
        _ => endpoint.id.clone(),
    };
    let channels = view.channels.iter();
    let channels: Vec<_> = channels
        .filter(|line| line.endpoint() == endpoint.id)
        .collect();
    let reachable = endpoint
        .aors
        .iter()
        .flat_map(|aor| view.contacts_of(aor))
        .any(|contact| contact.status != ContactStatus::Unavailable);
    let state = state_of(channels.iter().map(|line| line.info.state), reachable);
    let mut text = format!(
        " Endpoint:  {named:<51}  {state:<12}  {} of inf\n",
        channels.len()
    );
    for auth in &subscriber.auths {
        text.push_str(&format!("     InAuth:  {}/{}\n", auth.id, auth.username));
    }
    for auth in &subscriber.outbound_auths {
        text.push_str(&format!("    OutAuth:  {}/{}\n", auth.id, auth.username));
    }
    for aor in &subscriber.aors {
        text.push_str(&format!(
            "        Aor:  {:<49}  {}\n",
            aor.id, aor.max_contacts
        ));
        for contact in view.contacts_of(&aor.id) {
            text.push_str(&contact_row(contact, 6, 42));
        }
    }
    let transport = transports
        .iter()
        .find(|own| Some(&own.id) == endpoint.transport.as_ref());
    text.extend(transport.map(|transport| transport_row(transport, "  ")));
    let identifies = view.identifies.iter();
    for identify in identifies.filter(|identify| identify.endpoint == endpoint.id) {
        // Two further in than in a list of its own; the lines below it stand as they do there.
        text.push_str("  ");
        text.push_str(&identify_rows(identify));
    }
    for line in channels {
        let name = format!("{}/{}", line.name, line.application().0);
        let (state, clock) = (line.state().0, line.clock());
        text.push_str(&format!(
            "    Channel: {name:<50}  {state:<12}  {clock:<11}\n"
        ));
        let (exten, connected) = (&line.info.at.exten, &line.info.connected);
        text.push_str(&format!("        Exten: {exten:<24}  CLCID: {connected}\n"));
    }
    text
}

/// The state of the device, of all its channels together: what rings counts as ringing, what has only been
/// dialled as nothing.
fn state_of(channels: impl Iterator<Item = ChannelState>, reachable: bool) -> &'static str {
    let (mut used, mut rings) = (false, false);
    for state in channels {
        match state {
            ChannelState::Ringing | ChannelState::Up => used = true,
            ChannelState::Alerting => rings = true,
            ChannelState::Dialling | ChannelState::Ended => {}
        }
    }
    match (used, rings) {
        (true, true) => "Ring+Inuse",
        (true, false) => "In use",
        (false, true) => "Ringing",
        (false, false) if reachable => "Not in use",
        (false, false) => "Unavailable",
    }
}

/// `pjsip show contacts`.
pub(super) fn contacts(contacts: &[Registered]) -> String {
    if contacts.is_empty() {
        return "No objects found.\n\n".to_owned();
    }
    let rows: String = contacts
        .iter()
        .map(|contact| contact_row(contact, 2, 46))
        .collect();
    format!("{CONTACT_HEAD}{RULE}\n{rows}\n{}", found(contacts.len()))
}

fn contact_row(contact: &Registered, indent: usize, width: usize) -> String {
    let uri = format!("{}/{}", contact.aor, contact.uri);
    let hash = hash(&contact.uri);
    let (status, rtt) = match contact.status {
        ContactStatus::NotQualified => ("NonQual", "nan".to_owned()),
        ContactStatus::Unknown => ("Unknown", "nan".to_owned()),
        ContactStatus::Available(rtt) => ("Avail", format!("{:.3}", rtt.as_secs_f64() * 1_000.0)),
        ContactStatus::Unavailable => ("Unavail", "nan".to_owned()),
    };
    format!(
        "{:indent$}Contact:  {uri:<width$.width$} {hash:<10} {status:<7} {rtt:>11}\n",
        ""
    )
}

/// The first ten digits of the MD5 of the URI, by which Asterisk names a contact.
fn hash(uri: &str) -> String {
    let digest = Md5::digest(uri.as_bytes());
    let digits: String = digest
        .iter()
        .take(5)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    digits
}

/// `pjsip show aors`.
pub(super) fn aors<'a>(aors: impl ExactSizeIterator<Item = &'a Arc<Aor>>, view: &View) -> String {
    let count = aors.len();
    let rows: String = aors.map(|aor| aor_rows(aor, view) + "\n").collect();
    format!("{AOR_HEAD}{RULE}\n{rows}\n{}", found(count))
}

/// What `pjsip show aor` begins with.
pub(super) fn aor(aor: &Aor, view: &View) -> String {
    format!("{AOR_HEAD}{RULE}\n{}\n\n", aor_rows(aor, view))
}

fn aor_rows(aor: &Aor, view: &View) -> String {
    let mut text = format!("      Aor:  {:<51}  {}\n", aor.id, aor.max_contacts);
    for contact in view.contacts_of(&aor.id) {
        text.push_str(&contact_row(contact, 4, 44));
    }
    text
}

/// `pjsip show auths`.
pub(super) fn auths<'a>(auths: impl ExactSizeIterator<Item = &'a Arc<Auth>>) -> String {
    let count = auths.len();
    let rows: String = auths
        .map(|auth| format!("     InAuth:  {}/{}\n", auth.id, auth.username))
        .collect();
    format!("{AUTH_HEAD}{RULE}\n{rows}\n{}", found(count))
}

/// `pjsip show transports`.
pub(super) fn transports(transports: &[TransportConfig]) -> String {
    let rows: Vec<String> = transports
        .iter()
        .map(|transport| transport_row(transport, ""))
        .collect();
    match rows.is_empty() {
        true => "No objects found.\n\n".to_owned(),
        false => format!(
            "{TRANSPORT_HEAD}{RULE}\n{}\n{}",
            rows.concat(),
            found(rows.len())
        ),
    }
}

fn transport_row(transport: &TransportConfig, indent: &str) -> String {
    format!(
        "{indent}Transport:  {:<21}  {:>6}  {:>5}  {:>5}  {}\n",
        transport.id,
        transport.protocol.as_str(),
        transport.cos,
        transport.tos,
        transport.bind
    )
}

/// What `pjsip show auth` begins with.
pub(super) fn auth(auth: &Auth) -> String {
    format!(
        "{AUTH_HEAD}{RULE}\n     InAuth:  {}/{}\n\n\n",
        auth.id, auth.username
    )
}

/// What `pjsip show contact` begins with.
pub(super) fn contact(contact: &Registered) -> String {
    format!("{CONTACT_HEAD}{RULE}\n{}\n\n", contact_row(contact, 2, 46))
}

/// The options of one object, in columns as wide as they must be.
pub(super) fn fitted_options(all: &[(&str, String)]) -> String {
    let name = all.iter().map(|(name, _)| name.len()).max();
    let value = all.iter().map(|(_, value)| value.chars().count()).max();
    let (name, value) = (name.unwrap_or(0).max(13), value.unwrap_or(0).max(14));
    options(all, name, name + value + 3)
}

/// The options of one object; the names take `width` columns, the rule under the head `rule`.
pub(super) fn options(options: &[(&str, String)], width: usize, rule: usize) -> String {
    let rule = "=".repeat(rule);
    let mut text = format!(" {:<width$} : ParameterValue\n {rule}\n", "ParameterName");
    for (name, value) in options {
        text.push_str(&format!(" {name:<width$} : {value}\n"));
    }
    text.push('\n');
    text
}

pub(super) fn found(count: usize) -> String {
    format!("Objects found: {count}\n\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use config::{Aor, Auth, Config, Endpoint, Subscriber};
    use signal::{ContactStatus, Registered};
    use switch::ChannelState;

    use super::super::View;
    use super::{aors, contacts, endpoints, state_of, transports};
    use crate::commands::channel::tests::line;

    fn subscriber(id: &str, max_contacts: u32) -> Arc<Subscriber> {
        let mut endpoint = Endpoint::new(id);
        endpoint.aors.push(id.to_owned());
        let mut aor = Aor::new(id);
        aor.max_contacts = max_contacts;
        Arc::new(Subscriber {
            endpoint,
            auths: vec![Arc::new(Auth::new(id))],
            aors: vec![Arc::new(aor)],
            outbound_auths: Vec::new(),
        })
    }

    fn contact() -> Registered {
        Registered {
            aor: "WS_PHONE_A".to_owned(),
            endpoint: "WS_PHONE_A".to_owned(),
            uri: "sip:WS_PHONE_A@127.0.0.1:55674;transport=ws;x-ast-orig-host=127.0.0.1:0"
                .to_owned(),
            remote: "127.0.0.1:55674".parse().unwrap(),
            left: Duration::from_secs(60),
            status: ContactStatus::NotQualified,
        }
    }

    fn view() -> View {
        View {
            subscribers: vec![subscriber("WS_PHONE_A", 5), subscriber("WS_PHONE_B", 5)],
            contacts: BTreeMap::from([("WS_PHONE_A".to_owned(), vec![contact()])]),
            channels: vec![line()],
            identifies: Vec::new(),
        }
    }

    /// The rows below stand as Asterisk 23 printed them of the same objects.
    #[test]
    fn endpoints_stand_in_asterisks_columns() {
        assert!(super::AOR_HEAD.starts_with("      Aor:  <Aor."));
        let text = endpoints(&view(), &[]);
        assert!(text.starts_with(" Endpoint:  <Endpoint/CID."), "{text}");
        let rows = text.split_once("====\n\n").unwrap().1;
        assert_eq!(
            rows,
            " Endpoint:  WS_PHONE_A                                           In use        1 of inf
     InAuth:  WS_PHONE_A/WS_PHONE_A
        Aor:  WS_PHONE_A                                         5
      Contact:  WS_PHONE_A/sip:WS_PHONE_A@127.0.0.1:55674; f3d626f959 NonQual         nan
    Channel: PJSIP/WS_PHONE_A-00000004/StreamEcho                Up            00:00:07   
        Exten: 246                       CLCID: \"\" <>

 Endpoint:  WS_PHONE_B                                           Unavailable   0 of inf
     InAuth:  WS_PHONE_B/WS_PHONE_B
        Aor:  WS_PHONE_B                                         5


Objects found: 2

"
        );
    }

    #[test]
    fn an_endpoint_shows_by_what_it_is_known() {
        let file = "[trunk]\ntype=identify\nendpoint=WS_PHONE_B\nmatch=192.0.2.0/24\n";
        let config = config::load(&[("pjsip.conf", file)].as_slice()).0.unwrap();
        let view = View {
            identifies: config.identifies,
            ..view()
        };
        let text = endpoints(&view, &[]);
        assert_eq!(text.matches("Identify:  trunk").count(), 1, "{text}");
        let rows = text.split_once(" Endpoint:  WS_PHONE_B").unwrap().1;
        let expected = "        Aor:  WS_PHONE_B                                         5
   Identify:  trunk/WS_PHONE_B
        Match: 192.0.2.0/24
";
        assert!(rows.contains(expected), "{rows}");
    }

    #[test]
    fn contacts_stand_in_asterisks_columns() {
        assert_eq!(
            contacts(&[contact()]),
            "  Contact:  <Aor/ContactUri..............................> <Hash....> <Status> <RTT(ms)..>
==========================================================================================

  Contact:  WS_PHONE_A/sip:WS_PHONE_A@127.0.0.1:55674;tran f3d626f959 NonQual         nan

Objects found: 1

"
        );
    }

    #[test]
    fn a_device_is_in_the_state_of_its_channels() {
        use ChannelState::{Alerting, Dialling, Ended, Ringing, Up};
        let state = |channels: &[ChannelState]| state_of(channels.iter().copied(), true);
        assert_eq!(state(&[Up]), "In use");
        assert_eq!(state(&[Ringing]), "In use", "it calls us");
        assert_eq!(state(&[Alerting]), "Ringing");
        assert_eq!(state(&[Alerting, Up]), "Ring+Inuse");
        assert_eq!(state(&[Dialling, Ended]), "Not in use");
        assert_eq!(state_of([].into_iter(), false), "Unavailable");
    }

    #[test]
    fn a_contact_that_was_asked_shows_how_it_answered() {
        let row = |status| {
            let contact = Registered {
                status,
                ..contact()
            };
            super::contact_row(&contact, 2, 46)
        };
        let head = "  Contact:  WS_PHONE_A/sip:WS_PHONE_A@127.0.0.1:55674;tran f3d626f959 ";
        let rtt = Duration::from_micros(12_345);
        assert_eq!(
            row(ContactStatus::Available(rtt)),
            format!("{head}Avail        12.345\n")
        );
        assert_eq!(
            row(ContactStatus::Unavailable),
            format!("{head}Unavail         nan\n")
        );
        assert_eq!(
            row(ContactStatus::Unknown),
            format!("{head}Unknown         nan\n")
        );
    }

    #[test]
    fn aors_stand_in_asterisks_columns() {
        let view = view();
        let both: Vec<Arc<Aor>> = view
            .subscribers
            .iter()
            .map(|one| one.aors[0].clone())
            .collect();
        let text = aors(both.iter(), &view);
        assert_eq!(
            text.split_once("====\n\n").unwrap().1,
            "      Aor:  WS_PHONE_A                                           5
    Contact:  WS_PHONE_A/sip:WS_PHONE_A@127.0.0.1:55674;tr f3d626f959 NonQual         nan

      Aor:  WS_PHONE_B                                           5


Objects found: 2

"
        );
    }

    #[test]
    fn transports_stand_in_asterisks_columns() {
        let file = "[transport-udp]\ntype=transport\nprotocol=udp\nbind=0.0.0.0\n";
        let files = [("pjsip.conf", file)];
        let (config, _) = config::load(&files.as_slice());
        let Config {
            transports: own, ..
        } = config.unwrap();
        assert_eq!(
            transports(&own).split_once("====\n\n").unwrap().1,
            "Transport:  transport-udp             udp      0      0  0.0.0.0:5060

Objects found: 1

"
        );
    }
}
