//! Calls that come in: refused, or given a channel and a task of their own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dialplan::Position;

use super::{Switch, names};
use crate::call_number::{self, within};
use crate::cause::Cause;
use crate::channel::{self, Channel};
use crate::directory::{ChannelHandle, ChannelId, ChannelInfo, ChannelState, Full, New};
use crate::party::Parties;
use crate::pbx::Work;
use crate::signaling::Incoming;
use crate::story::{Story, Subject};

impl Switch {
    /// Takes a call: starts its task, or refuses it when there are too many or the exchange stops.
    pub fn incoming(&self, mut incoming: Incoming) -> Option<ChannelHandle> {
        if self.shared.tasks.is_closed() || self.shared.asked.refuses_calls() {
            incoming.signaling.hangup(Cause::TemporaryFailure);
            return None;
        }
        let replaces = incoming.replaces.take();
        // A call of the dial plan to itself, which has a name already, comes to what it names.
        let is_dialled = replaces.is_none() && incoming.name.is_none();
        let picks_up = is_dialled && self.is_pickup(&incoming.exten);
        let id = ChannelId(self.shared.numbers.fetch_add(1, Ordering::Relaxed));
        let (channel, handle) = match self.channel(id, incoming) {
            Ok(made) => made,
            Err(mut refused) => {
                tracing::error!(endpoint = refused.subscriber.endpoint.id, "{}", Full);
                refused.signaling.hangup(Cause::SwitchCongestion);
                return None;
            }
        };
        let call = self.clone();
        // A call of the dial plan to itself is part of the call that makes it.
        let number = call_number::current().unwrap_or_else(|| self.next_call());
        let work = match replaces {
            Some(place) => Work::Replace(place),
            None if picks_up => Work::PickUp,
            None => Work::DialPlan,
        };
        self.shared.tasks.spawn(within(Some(number), async move {
            call.run(channel, work).await;
        }));
        Some(handle)
    }

    /// Whether what was dialled is `pickupexten` of features.conf, which stands in no dial plan.
    pub fn is_pickup(&self, exten: &str) -> bool {
        let config = self.config();
        let pickup = &config.features.general.pickup_exten;
        !pickup.is_empty() && pickup == exten
    }

    /// A channel that only carries a message: it has no call record and leaves no story.
    pub(crate) fn text_channel(&self, incoming: Incoming) -> Option<Channel> {
        let id = ChannelId(self.shared.texts_total.fetch_add(1, Ordering::Relaxed) | TEXT_IDS);
        self.channel(id, incoming).ok().map(|(channel, _)| channel)
    }

    fn channel(
        &self,
        id: ChannelId,
        incoming: Incoming,
    ) -> Result<(Channel, ChannelHandle), Box<Incoming>> {
        let begins = format!("PJSIP/{}", incoming.subscriber.endpoint.id);
        let (mut name, unique_id) = names(id, &begins, "");
        if let Some(own) = &incoming.name {
            name.clone_from(own);
        }
        if id.0 & TEXT_IDS != 0 {
            name = format!("Message/ast_msg_queue-{:08x}", id.0 & !TEXT_IDS);
        }
        let at = Position {
            context: incoming.context.clone(),
            exten: incoming.exten.clone(),
            priority: 1,
        };
        let registration = self.shared.directory.register(New {
            id,
            name: name.clone(),
            unique_id: unique_id.clone(),
            inbox: incoming.inbox.0.clone(),
            info: ChannelInfo::new(&incoming.caller, &at, ChannelState::Ringing),
            subscriber: Arc::clone(&incoming.subscriber),
            dialled: None,
        });
        let Ok(registration) = registration else {
            return Err(Box::new(incoming));
        };
        // The console asks what a function tells, and calls nobody.
        if !incoming.context.is_empty() {
            tracing::info!(
                channel = name,
                caller = incoming.caller.number,
                exten = incoming.exten,
                context = incoming.context,
                call_id = incoming.call_id,
                "call came in"
            );
        }
        let story = Story::begin(Subject {
            channel: name,
            unique_id,
            call_id: incoming.call_id,
            endpoint: incoming.subscriber.endpoint.id.clone(),
            caller: incoming.caller.number.clone(),
            exten: incoming.exten,
            context: incoming.context,
            called: None,
        });
        let handle = registration.handle().clone();
        let linkedid = incoming.linkedid;
        let mut channel = Channel::new(channel::Parts {
            id,
            parties: Parties::of_call(&incoming.caller, incoming.redirecting, &at.exten),
            caller: incoming.caller,
            at,
            subscriber: incoming.subscriber,
            switch: self.clone(),
            signaling: incoming.signaling,
            inbox: incoming.inbox.1,
            registration,
            story,
            offer: incoming.offer,
            variables: &incoming.variables,
            leg: incoming.leg,
            outgoing: false,
        });
        if let Some(linkedid) = &linkedid {
            channel.record_mut().link(linkedid);
        }
        Ok((channel, handle))
    }
}

/// Numbers of channels that only carry a message have this bit, so that they use up none of the calls'.
const TEXT_IDS: u64 = 1 << 48;
