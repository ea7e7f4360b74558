//! The tasks of calls: each is watched, dropped where it does wrong, and waited for when the exchange stops.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use super::Switch;
use crate::call_number::{self, within};
use crate::cause::Cause;
use crate::channel::Channel;
use crate::directory::ChannelHandle;
use crate::pbx::{self, Work};
use crate::transfer::Seat;

impl Switch {
    /// A channel that another call had takes the place of a third.
    pub fn join(&self, channel: Channel, place: &Seat) {
        place.take(channel);
    }

    /// A channel that another call had takes a way of its own through the dial plan, from where it stands.
    pub fn go_on(&self, mut channel: Channel) {
        channel.record_mut().speak();
        let call = self.clone();
        // Where the exchange stops, the channel is dropped and thereby hung up.
        self.spawn(async move { call.run(channel, Work::DialPlan).await });
    }

    /// Starts a task that makes a call; it is dropped where it stands if it does not end when the exchange
    /// does. `false`: the exchange stops already.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        if self.shared.tasks.is_closed() {
            return false;
        }
        let stop = self.shared.stop.clone();
        let task = async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = task => {}
            }
        };
        // What a call lets be done besides is part of it.
        let number = call_number::current();
        self.shared.tasks.spawn(within(number, task));
        true
    }

    /// Hangs up all calls and takes no more. Returns when the last one is over, after a second at most.
    pub async fn shutdown(&self, cause: Cause) {
        self.shared.tasks.close();
        for handle in self.shared.directory.all() {
            handle.hangup(cause);
        }
        if tokio::time::timeout(SHUTDOWN_GRACE, self.shared.tasks.wait())
            .await
            .is_ok()
        {
            return;
        }
        tracing::warn!(
            calls = self.shared.directory.count(),
            "calls that did not end are dropped"
        );
        self.shared.stop.cancel();
        let last = Duration::from_secs(1) - SHUTDOWN_GRACE;
        if tokio::time::timeout(last, self.shared.tasks.wait())
            .await
            .is_err()
        {
            tracing::error!(
                calls = self.shared.directory.count(),
                "calls that never yield are left"
            );
        }
    }

    /// One call, from its first priority to its release. What the call does wrong ends here: a panic, an
    /// application that reads no events, one that does not end when the exchange does. In all three cases
    /// the channel is dropped where it stands, and that hangs up the far end.
    pub(crate) async fn run(&self, channel: Channel, work: Work) {
        let name = channel.name().to_owned();
        let condition = channel.condition();
        let watch = watch(channel.handle());
        let call = AssertUnwindSafe(pbx::run(channel, work)).catch_unwind();
        tokio::select! {
            biased;
            () = condition.until_overflow() => tracing::error!(
                channel = name,
                "inbox full: the application does not read its events; call dropped"
            ),
            () = self.shared.stop.cancelled() => {}
            () = watch => {}
            result = call => if let Err(panic) = result {
                tracing::error!(channel = name, "call task panicked: {}", message_of(&*panic));
            },
        }
    }
}

/// Says so when events wait for a call that has read none for a while. Never ends.
async fn watch(handle: ChannelHandle) {
    let mut reads_before = None;
    loop {
        tokio::time::sleep(UNREAD_MAX).await;
        let (waiting, reads) = handle.backlog();
        let stuck = waiting > 0 && reads_before == Some(reads);
        if stuck {
            let application = &handle.info().application;
            tracing::warn!(
                channel = handle.name(),
                waiting,
                "{application} leaves the call's events unread"
            );
        }
        reads_before = (waiting > 0).then_some(reads);
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

/// How long a shutdown waits for calls to end by themselves, their `h` extensions included.
pub const SHUTDOWN_GRACE: Duration = Duration::from_millis(800);

/// Events that wait for so long without one of them being read are worth a warning.
const UNREAD_MAX: Duration = Duration::from_secs(2);
