//! The one bounded queue into a call task.
//!
//! Producers (the signalling driver, a media shard, the console) never wait for a call. A call that does
//! not read its inbox is stuck: the event that no longer fits marks the inbox as overflowed, and the call
//! is hung up at once, whatever its application is doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};

use crate::directory::ChannelId;
use crate::event::ChannelEvent;
use crate::story::StoryEvent;

/// Events that may wait in one call's inbox. A browser call makes about five a second at its busiest.
pub const INBOX_MAX: usize = 256;

/// A new inbox: the end for producers and the end for the call.
pub fn inbox() -> (InboxSender, InboxReceiver) {
    let (sender, receiver) = mpsc::channel(INBOX_MAX);
    let condition = Arc::new(Condition::default());
    let sender = InboxSender { sender, condition };
    let condition = Arc::clone(&sender.condition);
    (
        sender,
        InboxReceiver {
            receiver,
            condition,
        },
    )
}

/// The producers' end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct InboxSender {
    sender: mpsc::Sender<ChannelEvent>,
    condition: Arc<Condition>,
}

impl InboxSender {
    /// Puts an event into the inbox without waiting. `false`: the call is gone, or it has just been
    /// condemned because its inbox is full; either way there is nothing left to do for the caller.
    pub fn send(&self, event: impl Into<ChannelEvent>) -> bool {
        match self.sender.try_send(event.into()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.condition.overflow();
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }

    /// Puts a line into the call's story. Unlike [`InboxSender::send`] it gives way: once half of the
    /// inbox is taken, the line is dropped instead of the call.
    pub fn note(&self, event: StoryEvent) {
        if self.sender.capacity() > INBOX_MAX / 2 {
            self.send(ChannelEvent::Note(event));
        }
    }

    /// How many events wait, and how many were read so far.
    pub(crate) fn backlog(&self) -> (usize, u64) {
        (INBOX_MAX - self.sender.capacity(), self.condition.reads())
    }

    /// Whether the call talks to another one now.
    pub(crate) fn is_connected(&self) -> bool {
        self.condition.connected.load(Ordering::Relaxed)
    }

    /// Whether the far end rings, so that the call may be picked up.
    pub(crate) fn is_ringing(&self) -> bool {
        self.condition.ringing.load(Ordering::Relaxed)
    }

    /// Whether the call waits for a party it calls, so that another channel may take its place.
    pub(crate) fn is_offered(&self) -> bool {
        self.condition.is_offered()
    }

    /// Whether the call waits for this channel, which it fetches.
    pub(crate) fn expects(&self, id: ChannelId) -> bool {
        self.condition.does_expect(id)
    }

    /// A channel is on its way into the place of the call.
    pub(crate) fn claim(&self) -> Claim {
        self.condition.claims.fetch_add(1, Ordering::Relaxed);
        Claim(self.clone())
    }

    /// Whether both lead to the same call.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.condition, &other.condition)
    }

    /// Whether the call is the one with this condition.
    pub(crate) fn is_read_by(&self, condition: &Arc<Condition>) -> bool {
        Arc::ptr_eq(&self.condition, condition)
    }

    /// Whether the call is gone.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

/// As long as this exists, a channel is on its way into the place of a call, which is kept for it.
#[derive(Debug)]
pub(crate) struct Claim(InboxSender);

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.condition.claims.fetch_sub(1, Ordering::Relaxed);
        self.0.send(ChannelEvent::Unclaimed);
    }
}

/// The call's end.
#[derive(Debug)]
pub struct InboxReceiver {
    receiver: mpsc::Receiver<ChannelEvent>,
    condition: Arc<Condition>,
}

impl InboxReceiver {
    /// The next event; `None` once no producer is left. Safe to drop while waiting.
    pub async fn recv(&mut self) -> Option<ChannelEvent> {
        let event = self.receiver.recv().await;
        self.condition.count_read();
        event
    }

    /// The next event if one is waiting.
    pub(crate) fn try_recv(&mut self) -> Option<ChannelEvent> {
        let event = self.receiver.try_recv().ok()?;
        self.condition.count_read();
        Some(event)
    }

    /// How the inbox fares, for whoever watches over the call.
    pub(crate) fn condition(&self) -> Arc<Condition> {
        Arc::clone(&self.condition)
    }
}

/// How an inbox fares. Overflow is set once, by the producer whose event did not fit.
#[derive(Debug, Default)]
pub(crate) struct Condition {
    overflowed: AtomicBool,
    /// The call talks to another one.
    connected: AtomicBool,
    /// We call the far end, and it rings.
    ringing: AtomicBool,
    /// The call waits for a party it calls.
    offered: AtomicBool,
    /// Channels on their way into its place.
    claims: AtomicUsize,
    /// The channel that it fetches and waits for, its number and one; 0: none.
    expects: AtomicU64,
    notify: Notify,
    reads: AtomicU64,
}

impl Condition {
    /// Notes which channel it fetches.
    pub(crate) fn expect(&self, whom: Option<ChannelId>) {
        let number = whom.map_or(0, |id| id.0.saturating_add(1));
        self.expects.store(number, Ordering::Release);
    }

    /// Whether it waits for a channel that it fetches.
    pub(crate) fn expects_any(&self) -> bool {
        self.expects.load(Ordering::Acquire) != 0
    }

    fn does_expect(&self, id: ChannelId) -> bool {
        self.expects.load(Ordering::Acquire) == id.0.saturating_add(1)
    }

    fn overflow(&self) {
        self.overflowed.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    fn count_read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// Events read so far.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Whether the call talks to another one, even if it is led aside now.
    pub(crate) fn is_up_with_another(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Notes whether the call talks to another one.
    pub(crate) fn connect(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }

    /// Notes whether the far end of a call of ours rings.
    pub(crate) fn ring(&self, ringing: bool) {
        self.ringing.store(ringing, Ordering::Relaxed);
    }

    /// Notes whether the call waits for a party it calls.
    pub(crate) fn offer(&self, offered: bool) {
        self.offered.store(offered, Ordering::Relaxed);
    }

    pub(crate) fn is_offered(&self) -> bool {
        self.offered.load(Ordering::Relaxed)
    }

    /// Whether a channel is on its way into its place.
    pub(crate) fn is_claimed(&self) -> bool {
        self.claims.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn is_overflowed(&self) -> bool {
        self.overflowed.load(Ordering::Acquire)
    }

    /// Returns once the inbox has overflowed.
    pub(crate) async fn until_overflow(&self) {
        while !self.is_overflowed() {
            self.notify.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{INBOX_MAX, inbox};
    use crate::event::ChannelEvent;
    use crate::story::StoryEvent;

    #[test]
    fn the_event_that_does_not_fit_condemns_the_call() {
        let (sender, receiver) = inbox();
        for _ in 0..INBOX_MAX {
            assert!(sender.send(ChannelEvent::FlowLost));
            assert!(!receiver.condition().is_overflowed());
        }
        assert!(!sender.send(ChannelEvent::FlowLost));
        assert!(receiver.condition().is_overflowed());
    }

    #[test]
    fn notes_give_way_before_the_inbox_is_full() {
        let (sender, mut receiver) = inbox();
        for _ in 0..INBOX_MAX * 2 {
            sender.note(StoryEvent::FlowLost);
        }
        assert!(!receiver.condition().is_overflowed());
        let mut waiting = 0;
        while receiver.try_recv().is_some() {
            waiting += 1;
        }
        assert_eq!(waiting, INBOX_MAX / 2);
    }

    #[test]
    fn a_call_that_is_gone_refuses_events_quietly() {
        let (sender, receiver) = inbox();
        drop(receiver);
        assert!(sender.is_closed());
        assert!(!sender.send(ChannelEvent::FlowLost));
    }

    #[test]
    fn backlog_tells_a_stuck_call_from_a_busy_one() {
        let (sender, mut receiver) = inbox();
        for _ in 0..3 {
            sender.send(ChannelEvent::FlowLost);
        }
        assert_eq!(sender.backlog(), (3, 0));
        receiver.try_recv().unwrap();
        assert_eq!(sender.backlog(), (2, 1));
    }
}
