//! Digits of ours that go out by INFO: one after the other, so that they arrive in their order.
//!
//! The next one is sent when the one before has been answered. Who does not take
//! `application/dtmf-relay` (415) is sent `application/dtmf`; who does not take that either, or no INFO at all, is
//! sent what waits and all later digits by media, as events or tones: the channel gets them back in their order, and
//! none goes by INFO any more, or a later one could overtake those that sound. A connection that is gone is waited
//! for, as long as the call does; the digit that had no answer is sent again on the next one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::sip::{Agent, ClientId, InviteId, Method, Response, Status};
use media::Digit;
use switch::ChannelEvent;
use switch::story::StoryEvent;

use crate::sip::driver::calls::Calls;
use crate::sip::info;

/// The digits one call still has to send.
#[derive(Debug, Default)]
pub(super) struct Digits {
    waiting: VecDeque<Digit>,
    /// The first one waits for its answer.
    sent: Option<ClientId>,
    form: Form,
    /// The far end asked for the first one again, so often already.
    tries: u8,
    /// Before this it is not sent again.
    not_before: Option<Instant>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `application/dtmf-relay`.
    #[default]
    Relay,
    /// `application/dtmf`.
    Plain,
    /// The far end takes neither: media sends them.
    Media,
}

/// What comes of a digit that was sent.
enum Outcome {
    Taken,
    /// In another form.
    Again(Form),
    Later(Duration),
    /// Not by INFO, for this reason.
    Refused(String),
    /// Nobody knows whether it was heard.
    Unanswered,
    /// The connection or the call is gone.
    Gone,
}

impl Digits {
    /// The request that waits for its answer.
    pub(super) fn sent(&self) -> Option<ClientId> {
        self.sent
    }

    /// When the first one is to be sent again.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    fn outcome(&self, response: Option<&Response>, is_lost: bool) -> Outcome {
        let Some(response) = response else {
            return match is_lost {
                true => Outcome::Gone,
                false => Outcome::Unanswered,
            };
        };
        let again = self.tries < TRIES_MAX;
        let after = response.headers.retry_after().ok().flatten();
        let after = after.filter(|seconds| *seconds <= RETRY_AFTER_S_MAX);
        match response.status {
            status if status.is_success() => Outcome::Taken,
            // The Agent ends such a call (RFC 3261 §12.2.1.2).
            Status::CALL_DOES_NOT_EXIST => Outcome::Gone,
            Status::UNSUPPORTED_MEDIA_TYPE if self.form == Form::Relay => {
                Outcome::Again(Form::Plain)
            }
            Status::REQUEST_TIMEOUT => Outcome::Unanswered,
            // It is busy with an offer.
            Status::REQUEST_PENDING if again => Outcome::Later(PENDING_PAUSE),
            Status::SERVER_INTERNAL_ERROR | Status::SERVICE_UNAVAILABLE if again => match after {
                Some(seconds) => Outcome::Later(Duration::from_secs(seconds.into())),
                None => Outcome::Refused(response.status.to_string()),
            },
            status => Outcome::Refused(status.to_string()),
        }
    }
}

impl Calls {
    /// Sends a digit as soon as those before it have been answered.
    pub(crate) fn dial(&mut self, agent: &mut Agent, now: Instant, id: InviteId, digit: Digit) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let digits = &mut call.digits;
        if digits.form == Form::Media {
            call.inbox.send(ChannelEvent::DigitsRefused(vec![digit]));
            return;
        }
        if digits.waiting.len() == WAITING_MAX {
            let text = format!(
                "digit {} is lost: the far end has not answered {WAITING_MAX} INFO before it",
                digit.digit
            );
            return call.inbox.note(StoryEvent::Remark { text });
        }
        digits.waiting.push_back(digit);
        self.dial_next(agent, now, id);
    }

    /// The call has another connection now: what was not answered on the one before is sent again.
    pub(crate) fn dial_again(&mut self, agent: &mut Agent, now: Instant, id: InviteId) {
        if let Some(call) = self.calls.get_mut(&id)
            && let Some(client) = call.digits.sent.take()
        {
            self.infos.remove(&client);
        }
        self.dial_next(agent, now, id);
    }

    /// When a digit is to be sent again.
    pub(crate) fn next_digit(&self) -> Option<Instant> {
        self.digits_due.first().map(|(at, _)| *at)
    }

    /// Digits whose time has come.
    pub(crate) fn dial_due(&mut self, agent: &mut Agent, now: Instant) {
        while let Some((at, id)) = self.digits_due.first().copied()
            && at <= now
        {
            self.digits_due.pop_first();
            if let Some(call) = self.calls.get_mut(&id) {
                call.digits.not_before = None;
            }
            self.dial_next(agent, now, id);
        }
    }

    fn dial_next(&mut self, agent: &mut Agent, now: Instant, id: InviteId) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| !call.is_lost()) else {
            return;
        };
        let digits = &mut call.digits;
        let waits = digits.sent.is_some() || digits.not_before.is_some();
        let Some(digit) = digits.waiting.front().filter(|_| !waits) else {
            return;
        };
        let body = match digits.form {
            Form::Relay => info::relay(digit),
            Form::Plain => info::plain(digit),
            Form::Media => return,
        };
        let line = format!("INFO {}", digit.digit);
        let client = agent.send(now, id, Method::Info, Vec::new(), Some(body));
        digits.sent = Some(client);
        self.infos.insert(client, id);
        self.sent(id, &line);
    }

    /// A response came, or none in the time of the transaction. `false`: it is nobody's here.
    pub(crate) fn on_response(
        &mut self,
        agent: &mut Agent,
        client: ClientId,
        response: Option<&Arc<Response>>,
        now: Instant,
    ) -> bool {
        let Some(id) = self.infos.remove(&client) else {
            return false;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return true;
        };
        let is_lost = call.is_lost();
        let digits = &mut call.digits;
        digits.sent = None;
        match digits.outcome(response.map(|response| &**response), is_lost) {
            Outcome::Taken => {
                digits.waiting.pop_front();
                digits.tries = 0;
            }
            Outcome::Again(form) => digits.form = form,
            Outcome::Later(pause) => {
                let at = now + pause;
                digits.tries += 1;
                digits.not_before = Some(at);
                self.digits_due.insert((at, id));
            }
            Outcome::Refused(status) => {
                let text = format!(
                    "the far end takes no digits by INFO ({status}): they are sent as events or tones from now on"
                );
                call.inbox.note(StoryEvent::Remark { text });
                call.hand_back();
            }
            Outcome::Unanswered => {
                let digit = digits.waiting.pop_front().map_or(' ', |digit| digit.digit);
                let text = format!(
                    "digit {digit} by INFO had no answer and may be lost; those after it are sent as events or tones"
                );
                call.inbox.note(StoryEvent::Remark { text });
                call.hand_back();
            }
            Outcome::Gone => {}
        }
        self.dial_next(agent, now, id);
        true
    }
}

impl super::calls::Call {
    /// Media sends what waits, and what comes after it.
    fn hand_back(&mut self) {
        self.digits.form = Form::Media;
        let waiting: Vec<Digit> = self.digits.waiting.drain(..).collect();
        if !waiting.is_empty() {
            self.inbox.send(ChannelEvent::DigitsRefused(waiting));
        }
    }
}

/// Digits of one call that wait for their turn.
const WAITING_MAX: usize = 64;
/// How often a far end that is busy is asked again.
const TRIES_MAX: u8 = 5;
/// How long it is given where it does not say so: an offer and its answer.
const PENDING_PAUSE: Duration = Duration::from_millis(500);
/// A far end that wants more time than that is not waited for.
const RETRY_AFTER_S_MAX: u32 = 10;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::{Duration, Instant};

    use ::sip::{
        Agent, Body, Event, Flow, FlowId, HeaderName, Identity, InviteId, Limits, Message, Method,
        NameAddr, OutgoingInvite, Reliability, Request, SessionRules, Status, Transport,
    };
    use media::Digit;
    use switch::{ChannelEvent, InboxReceiver};

    use super::{RETRY_AFTER_S_MAX, TRIES_MAX};
    use crate::sip::command::Party;
    use crate::sip::driver::calls::{Calls, Ours};

    /// A call of ours that was answered, in virtual time.
    struct Rig {
        agent: Agent,
        calls: Calls,
        id: InviteId,
        flow: Flow,
        now: Instant,
        inbox: InboxReceiver,
        /// What the far end was sent.
        wire: Vec<Request>,
        /// What media is to send.
        media: String,
    }

    impl Rig {
        fn new(transport: Transport) -> Self {
            let identity = Identity {
                server: "test".to_owned(),
                host: None,
                max_forwards: None,
            };
            let mut agent = Agent::new(identity, Limits::default(), [7; 32]);
            let (now, flow) = (Instant::now(), flow(1, transport));
            let invite = OutgoingInvite {
                uri: "sip:bob@192.0.2.2".parse().unwrap(),
                from: NameAddr::parse("<sip:alice@192.0.2.1>").unwrap(),
                to: NameAddr::parse("<sip:bob@192.0.2.2>").unwrap(),
                headers: Vec::new(),
                offer: Some(Body::sdp("v=0\r\n".to_owned())),
                call_id: None,
                logins: Vec::new(),
                session: SessionRules::default(),
                reliability: Reliability::default(),
            };
            let id = agent.invite(now, flow, invite);
            let (sender, inbox) = switch::inbox();
            let mut calls = Calls::default();
            let ours = Ours {
                inbox: sender,
                party: Party {
                    endpoint: "bob".to_owned(),
                    instance: None,
                    contact: None,
                },
                line: "INVITE".to_owned(),
                retry: None,
                believed: None,
                told: Vec::new(),
            };
            calls.begin_ours(id, flow, ours);
            let mut rig = Self {
                agent,
                calls,
                id,
                flow,
                now,
                inbox,
                wire: Vec::new(),
                media: String::new(),
            };
            rig.turn();
            let invite = rig.wire.remove(0);
            rig.answer(&invite, 200, 0);
            rig
        }

        fn dial(&mut self, digits: &str) {
            for digit in digits.chars() {
                let digit = Digit {
                    digit,
                    duration: Duration::from_millis(160),
                };
                self.calls.dial(&mut self.agent, self.now, self.id, digit);
            }
            self.turn();
        }

        /// All outputs, as the driver drains them.
        fn turn(&mut self) {
            loop {
                while let Some(transmit) = self.agent.poll_transmit() {
                    assert_eq!(transmit.flow, self.flow.id);
                    let Ok(Message::Request(request)) = Message::parse(&transmit.bytes) else {
                        panic!("{:?}", transmit.bytes);
                    };
                    if request.method != Method::Ack {
                        self.wire.push(request);
                    }
                }
                let Some(event) = self.agent.poll_event() else {
                    break;
                };
                let (agent, now) = (&mut self.agent, self.now);
                match event {
                    Event::Response { id, result } => {
                        let response = result.as_ref().ok();
                        // One that belongs to a connection before is nobody's.
                        let _ = self.calls.on_response(agent, id, response, now);
                    }
                    event => self.calls.on_event(agent, now, event),
                }
            }
            while let Poll::Ready(Some(event)) =
                pin!(self.inbox.recv()).poll(&mut Context::from_waker(Waker::noop()))
            {
                if let ChannelEvent::DigitsRefused(digits) = event {
                    self.media.extend(digits.iter().map(|digit| digit.digit));
                }
            }
        }

        /// Time passes, and every deadline in it.
        fn pass(&mut self, length: Duration) {
            let end = self.now + length;
            loop {
                let deadlines = [self.agent.poll_timeout(), self.calls.next_digit()];
                let next = deadlines.into_iter().flatten().min();
                let Some(at) = next.filter(|at| *at <= end) else {
                    break;
                };
                self.now = at;
                self.agent.handle_timeout(at);
                self.calls.dial_due(&mut self.agent, at);
                self.turn();
            }
            self.now = end;
        }

        /// The next INFO, which is the only one.
        fn info(&mut self) -> Request {
            assert_eq!(self.wire.len(), 1, "{:?}", self.wire);
            let request = self.wire.remove(0);
            assert_eq!(request.method, Method::Info);
            request
        }

        fn answer(&mut self, request: &Request, status: u16, retry_after: u32) {
            let mut response = request.response(Status::new(status).unwrap());
            let mut to = request.headers.to().unwrap();
            if to.tag().is_none() {
                to.set_tag("b");
                response.headers.set(HeaderName::To, &to.to_string());
            }
            match request.method {
                Method::Invite => response
                    .headers
                    .push(HeaderName::Contact, "<sip:bob@192.0.2.2>"),
                _ if retry_after > 0 => response
                    .headers
                    .push(HeaderName::RetryAfter, &retry_after.to_string()),
                _ => {}
            }
            self.agent
                .handle_message(self.now, self.flow, &response.to_bytes());
            self.turn();
        }
    }

    fn flow(number: u64, transport: Transport) -> Flow {
        Flow {
            id: FlowId(number),
            transport,
            local: SocketAddr::from(([192, 0, 2, 1], 5060)),
            remote: SocketAddr::from(([192, 0, 2, 2], 5060)),
        }
    }

    fn digit_of(request: &Request) -> char {
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        let value = body.strip_prefix("Signal=").unwrap_or(&body);
        value.chars().next().unwrap()
    }

    /// Answers all that comes; the digits that were heard.
    fn heard(rig: &mut Rig) -> String {
        let mut digits = String::new();
        while !rig.wire.is_empty() {
            let info = rig.info();
            digits.push(digit_of(&info));
            rig.answer(&info, 200, 0);
        }
        digits
    }

    #[test]
    fn who_takes_neither_form_gets_all_digits_by_media_in_their_order() {
        let mut rig = Rig::new(Transport::Ws);
        rig.dial("123");
        for form in ["application/dtmf-relay", "application/dtmf"] {
            let info = rig.info();
            assert_eq!(digit_of(&info), '1');
            assert_eq!(content_type(&info), form);
            rig.answer(&info, 415, 0);
        }
        rig.dial("4");
        assert_eq!((rig.media.as_str(), rig.wire.len()), ("1234", 0));
    }

    fn content_type(request: &Request) -> &str {
        request.headers.get(&HeaderName::ContentType).unwrap()
    }

    #[test]
    fn who_knows_no_info_gets_them_by_media_after_one_answer() {
        for status in [405, 501, 403, 488, 500, 603] {
            let mut rig = Rig::new(Transport::Udp);
            rig.dial("12");
            let info = rig.info();
            rig.answer(&info, status, 0);
            rig.dial("3");
            rig.pass(Duration::from_secs(60));
            assert_eq!((rig.media.as_str(), rig.wire.len()), ("123", 0), "{status}");
        }
    }

    #[test]
    fn what_was_taken_before_the_refusal_is_not_sent_again() {
        let mut rig = Rig::new(Transport::Ws);
        rig.dial("123");
        let first = rig.info();
        rig.answer(&first, 200, 0);
        let second = rig.info();
        rig.answer(&second, 501, 0);
        assert_eq!(rig.media, "23");
    }

    #[test]
    fn a_digit_without_answer_is_not_doubled_and_those_behind_it_are_not_lost() {
        let mut rig = Rig::new(Transport::Udp);
        rig.dial("12");
        rig.pass(Duration::from_secs(31));
        rig.dial("3");
        assert_eq!(rig.media, "");
        rig.pass(Duration::from_secs(2));
        let repeats = std::mem::take(&mut rig.wire);
        assert!(repeats.len() > 5 && repeats.iter().all(|it| digit_of(it) == '1'));
        // RFC 3261 §17.1.2.2: timer F.
        assert_eq!(rig.media, "23");
        rig.dial("4");
        assert_eq!((rig.media.as_str(), rig.wire.len()), ("234", 0));
    }

    #[test]
    fn a_repeated_info_that_is_answered_late_counts_once() {
        let mut rig = Rig::new(Transport::Udp);
        rig.dial("12");
        rig.pass(Duration::from_secs(4));
        let repeats = std::mem::take(&mut rig.wire);
        assert!(repeats.len() > 2);
        for request in &repeats {
            rig.answer(request, 200, 0);
        }
        assert_eq!(heard(&mut rig), "2");
        assert_eq!(rig.media, "");
    }

    #[test]
    fn a_busy_far_end_is_asked_again_in_order() {
        for (status, retry_after, pause_ms) in [(491, 0, 500), (500, 2, 2000), (503, 1, 1000)] {
            let mut rig = Rig::new(Transport::Ws);
            rig.dial("12");
            let info = rig.info();
            rig.answer(&info, status, retry_after);
            rig.dial("3");
            rig.pass(Duration::from_millis(pause_ms - 1));
            assert_eq!(rig.wire.len(), 0, "{status}");
            rig.pass(Duration::from_millis(1));
            assert_eq!(heard(&mut rig), "123", "{status}");
            assert_eq!(rig.media, "");
        }
    }

    #[test]
    fn who_is_always_busy_gets_them_by_media() {
        let mut rig = Rig::new(Transport::Ws);
        rig.dial("12");
        for _ in 0..=TRIES_MAX {
            let info = rig.info();
            rig.answer(&info, 491, 0);
            rig.pass(Duration::from_secs(1));
        }
        assert_eq!((rig.media.as_str(), rig.wire.len()), ("12", 0));
        let mut rig = Rig::new(Transport::Ws);
        rig.dial("12");
        let info = rig.info();
        rig.answer(&info, 503, RETRY_AFTER_S_MAX + 1);
        assert_eq!(rig.media, "12");
    }

    #[test]
    fn digits_wait_for_the_next_connection() {
        let mut rig = Rig::new(Transport::Ws);
        rig.dial("12");
        assert_eq!(digit_of(&rig.info()), '1');
        rig.agent.handle_flow_closed(rig.now, rig.flow.id);
        rig.turn();
        rig.dial("3");
        rig.pass(Duration::from_secs(20));
        assert_eq!(rig.wire.len(), 0);
        rig.reconnect(2);
        assert_eq!(heard(&mut rig), "123");
        assert_eq!(rig.media, "");
    }

    #[test]
    fn a_connection_that_is_known_to_be_dead_late_loses_no_digit() {
        let mut rig = Rig::new(Transport::Ws);
        rig.dial("12");
        assert_eq!(digit_of(&rig.info()), '1');
        let old = rig.flow;
        // The page is back before its old connection is missed.
        rig.reconnect(2);
        assert_eq!(heard(&mut rig), "12");
        rig.agent.handle_flow_closed(rig.now, old.id);
        rig.pass(Duration::from_secs(40));
        rig.dial("3");
        assert_eq!(heard(&mut rig), "3");
        assert_eq!(rig.media, "");
    }

    impl Rig {
        fn reconnect(&mut self, number: u64) {
            self.flow = flow(number, self.flow.transport);
            self.agent.rebind(self.now, self.id, self.flow);
            self.calls.restored(self.id, self.flow);
            self.calls.dial_again(&mut self.agent, self.now, self.id);
            self.turn();
        }
    }

    #[test]
    fn digits_go_out_while_an_offer_is_under_way() {
        let mut rig = Rig::new(Transport::Ws);
        let offer = Body::sdp("v=0\r\n".to_owned());
        rig.agent.reinvite(rig.now, rig.id, offer).unwrap();
        rig.dial("12");
        let reinvite = rig.wire.remove(0);
        assert_eq!(reinvite.method, Method::Invite);
        assert_eq!(heard(&mut rig), "12");
        rig.answer(&reinvite, 200, 0);
        rig.dial("3");
        assert_eq!(heard(&mut rig), "3");
    }

    #[test]
    fn a_call_that_is_over_takes_its_digits_along() {
        let mut rig = Rig::new(Transport::Ws);
        rig.dial("12");
        let info = rig.info();
        rig.answer(&info, 491, 0);
        rig.agent
            .hangup(rig.now, rig.id, Vec::new(), Status::DECLINE);
        rig.turn();
        let bye = rig.wire.remove(0);
        rig.answer(&bye, 200, 0);
        assert_eq!(rig.calls.next_digit(), None);
        rig.pass(Duration::from_secs(40));
        assert_eq!((rig.media.as_str(), rig.wire.len()), ("", 0));
    }
}
