//! The channel of a leg that goes out.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Switch, names};
use crate::channel::{self, Channel};
use crate::dial::Ask;
use crate::directory::{ChannelId, ChannelInfo, ChannelState, Full, New};
use crate::inbox::inbox;
use crate::party::Parties;
use crate::story::{Story, Subject};
use crate::technology::{Outgoing, Target};

impl Switch {
    /// A channel for a leg that goes out. `None`: there are too many.
    pub(crate) fn outgoing(&self, target: Target, ask: &Ask) -> Option<Channel> {
        let id = ChannelId(self.shared.numbers.fetch_add(1, Ordering::Relaxed));
        let (subscriber, called) = (target.subscriber, target.address);
        let endpoint = &subscriber.endpoint;
        let (name, unique_id) = names(id, &target.name, target.half);
        let at = ask.stands(endpoint);
        let caller = ask.identity(endpoint);
        let (sender, receiver) = inbox();
        let registration = self.shared.directory.register(New {
            id,
            name: name.clone(),
            unique_id: unique_id.clone(),
            inbox: sender.clone(),
            info: ChannelInfo {
                application: ask.application.clone(),
                ..ChannelInfo::new(&caller, &at, ChannelState::Dialling)
            },
            subscriber: Arc::clone(&subscriber),
            dialled: ask.dialled.clone(),
        });
        let Ok(registration) = registration else {
            tracing::error!(called, "{}", Full);
            return None;
        };
        let call_id = target.call_id;
        tracing::info!(channel = name, called, call_id, "call goes out");
        let story = Story::begin(Subject {
            channel: name.clone(),
            unique_id,
            call_id,
            endpoint: endpoint.id.clone(),
            caller: caller.number.clone(),
            exten: at.exten.clone(),
            context: at.context.clone(),
            called: Some(called),
        });
        let linkedid = ask.linkedid.clone();
        let linkedid = linkedid.unwrap_or_else(|| registration.unique_id().to_owned());
        let signaling = (target.open)(Outgoing {
            caller: ask.caller.clone(),
            redirecting: ask.redirecting.clone(),
            variables: ask.variables.clone(),
            channel: name,
            linkedid: linkedid.clone(),
            language: ask.language.clone(),
            inbox: sender,
        });
        let mut channel = Channel::new(channel::Parts {
            id,
            parties: Parties::of_leg(&caller, ask),
            caller,
            at,
            subscriber,
            switch: self.clone(),
            signaling,
            inbox: receiver,
            registration,
            story,
            offer: None,
            variables: &ask.variables,
            leg: target.leg,
            outgoing: true,
        });
        channel.record_mut().link(&linkedid);
        channel.inherit_language(ask.language.as_deref());
        if !ask.recorded {
            channel.record_mut().silence();
        }
        channel.runs(ask.application.clone());
        Some(channel)
    }
}
