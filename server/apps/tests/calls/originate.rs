//! Calls the exchange makes by itself, to a technology whose far ends are in the test's hands.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use config::Subscriber;
use rtc::Refused;
use sdp::Sdp;
use switch::{
    Begun, CallerId, Cause, ChannelEvent, ChannelState, InboxSender, NotOriginated, Originate,
    Outgoing, Position, Purpose, Reply, Signaling, Target, Technology, Unreachable,
};

use crate::world::{Ladder, World, pass, sdp, seconds, settle, told};

/// `TEST/3` is reached at three places.
struct Places {
    ladder: Ladder,
    subscriber: Arc<Subscriber>,
    opened: Arc<Mutex<Vec<InboxSender>>>,
}

impl Technology for Places {
    fn name(&self) -> &'static str {
        "TEST"
    }

    fn find<'a>(&'a self, destination: &'a str) -> Reply<'a, Result<Vec<Target>, Unreachable>> {
        Box::pin(async move {
            let Ok(count) = destination.parse::<usize>() else {
                return Err(Unreachable::NotRegistered(destination.to_owned()));
            };
            Ok((0..count).map(|index| self.target(index)).collect())
        })
    }
}

impl Places {
    fn target(&self, index: usize) -> Target {
        let (ladder, opened) = (self.ladder.clone(), self.opened.clone());
        Target {
            subscriber: self.subscriber.clone(),
            address: format!("sip:place{index}"),
            call_id: format!("call-{index}"),
            open: Box::new(move |outgoing: Outgoing| {
                opened.lock().unwrap().push(outgoing.inbox);
                ladder.write(format!("{index}: open for '{}'", outgoing.caller.number));
                Box::new(Place { ladder, index })
            }),
        }
    }
}

struct Place {
    ladder: Ladder,
    index: usize,
}

impl Place {
    fn write(&self, line: &str) {
        self.ladder.write(format!("{}: {line}", self.index));
    }
}

impl Signaling for Place {
    fn call(&mut self, offer: &Sdp) {
        self.write(&format!("call {}", told(offer)));
    }

    fn ring(&mut self, _: Option<&Sdp>) {
        self.write("ring");
    }

    fn answer(&mut self, _: &Sdp) {
        self.write("answer");
    }

    fn offer(&mut self, offer: &Sdp) {
        self.write(&format!("offer {}", told(offer)));
    }

    fn accept(&mut self, _: &Sdp) {
        self.write("accept");
    }

    fn refuse(&mut self, refused: &Refused) {
        self.write(&format!("refuse {}", refused.status()));
    }

    fn hangup(&mut self, cause: Cause) {
        self.write(&format!("hangup {}", cause.q850()));
    }

    fn header(&self, _: &str) -> Option<String> {
        None
    }
}

/// A world and the far ends of what it calls.
struct Reach {
    world: World,
    opened: Arc<Mutex<Vec<InboxSender>>>,
}

impl Reach {
    async fn new(plan: &str) -> Self {
        let mut world = World::new(plan).await;
        world.endpoint.max_video_streams = 4;
        let opened = Arc::<Mutex<Vec<InboxSender>>>::default();
        let subscriber = Arc::new(Subscriber {
            endpoint: world.endpoint.clone(),
            auths: Vec::new(),
            aors: Vec::new(),
            outbound_auths: Vec::new(),
        });
        let places = Places {
            ladder: world.ladder.clone(),
            subscriber,
            opened: opened.clone(),
        };
        world.switch.connect(vec![Arc::new(places)]);
        Self { world, opened }
    }

    async fn originate(&self, destination: &str, purpose: Purpose) -> Result<Begun, NotOriginated> {
        let originate = Originate {
            destination: destination.to_owned(),
            purpose,
            timeout: seconds(30),
            caller: CallerId {
                name: "Carol".to_owned(),
                number: "700".to_owned(),
            },
            variables: vec![("COLOUR".to_owned(), "blue".to_owned())],
        };
        let begun = self.world.switch.originate(originate).await;
        settle().await;
        begun
    }

    /// Something comes from the far end of a leg.
    async fn send(&self, leg: usize, event: ChannelEvent) {
        self.opened.lock().unwrap()[leg].send(event);
        settle().await;
    }

    async fn answer(&self, leg: usize) {
        let answer = sdp(&["audio", "video"]);
        self.send(leg, ChannelEvent::Accepted(Some(answer))).await;
    }

    fn states(&self) -> Vec<(ChannelState, String)> {
        let all = self.world.switch.directory().all();
        let states = all.iter().map(|handle| {
            let info = handle.info();
            (info.state, info.application.clone())
        });
        states.collect()
    }

    fn count(&self) -> usize {
        self.world.switch.directory().count()
    }
}

fn echo() -> Purpose {
    Purpose::Application {
        name: "echo".to_owned(),
        arguments: String::new(),
    }
}

fn extension(exten: &str) -> Purpose {
    Purpose::Extension(Position {
        context: "test".to_owned(),
        exten: exten.to_owned(),
        priority: 1,
    })
}

#[tokio::test(start_paused = true)]
async fn who_answers_gets_the_application_and_then_the_end() {
    let reach = Reach::new("").await;
    let begun = reach.originate("test/1", echo()).await.unwrap();
    let ladder = &reach.world.ladder;
    assert_eq!(
        ladder.lines(),
        ["0: open for '700'", "0: call audio, video"]
    );
    assert_eq!(
        reach.states(),
        [(ChannelState::Dialling, "echo()".to_owned())]
    );
    reach.send(0, ringing()).await;
    assert_eq!(reach.states()[0].0, ChannelState::Alerting);
    reach.answer(0).await;
    assert_eq!(begun.await.unwrap().unwrap(), "PJSIP/alice-00000000");
    assert_eq!(reach.states(), [(ChannelState::Up, "Echo()".to_owned())]);
    assert!(ladder.has("echo one to one"));
    reach.send(0, ChannelEvent::Digit('#')).await;
    assert!(ladder.has("0: hangup 16"));
    assert_eq!(reach.count(), 0);
    let story = reach.world.story();
    assert_eq!(story.subject.called.as_deref(), Some("sip:place0"));
    assert_eq!(story.subject.call_id, "call-0");
}

#[tokio::test(start_paused = true)]
async fn who_answers_goes_through_the_dial_plan_and_can_be_offered_more() {
    let plan = "exten => 246,1,Verbose(${COLOUR} ${CALLERID(num)})\n same => n,StreamEcho(2)\n";
    let reach = Reach::new(plan).await;
    reach.originate("TEST/1", extension("246")).await.unwrap();
    reach.answer(0).await;
    pass(Duration::from_secs(1)).await;
    assert!(
        reach
            .world
            .ladder
            .has("0: offer audio, video, video sendonly"),
        "{:?}",
        reach.world.ladder.lines()
    );
    assert_eq!(reach.states()[0].1, "StreamEcho(2)");
}

#[tokio::test(start_paused = true)]
async fn all_places_ring_and_the_first_that_answers_has_the_call() {
    let reach = Reach::new("").await;
    let begun = reach.originate("TEST/3", echo()).await.unwrap();
    reach.send(0, ringing()).await;
    reach.send(2, ChannelEvent::Hangup(Cause::UserBusy)).await;
    assert_eq!(reach.count(), 2);
    reach.answer(1).await;
    let name = begun.await.unwrap().unwrap();
    assert_eq!(name, "PJSIP/alice-00000001");
    assert!(reach.world.ladder.has("0: hangup 26"), "answered elsewhere");
    assert!(
        !reach.world.ladder.has("2: hangup 26"),
        "it was over before"
    );
    assert_eq!(reach.count(), 1);
    // A late answer of a loser is ended by signalling; the call does not hear of it.
    reach.answer(0).await;
    assert_eq!(reach.states()[0].0, ChannelState::Up);
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_in_time() {
    let reach = Reach::new("").await;
    let begun = reach.originate("TEST/2", echo()).await.unwrap();
    pass(Duration::from_millis(29_999)).await;
    assert_eq!(reach.count(), 2);
    pass(Duration::from_millis(1)).await;
    assert_eq!(begun.await.unwrap(), Err(Cause::NoAnswer));
    assert!(reach.world.ladder.has("0: hangup 19") && reach.world.ladder.has("1: hangup 19"));
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_person_did_says_more_than_what_a_device_did() {
    let reach = Reach::new("").await;
    let begun = reach.originate("TEST/3", echo()).await.unwrap();
    reach
        .send(0, ChannelEvent::Hangup(Cause::NetworkOutOfOrder))
        .await;
    reach
        .send(1, ChannelEvent::Hangup(Cause::CallRejected))
        .await;
    reach.send(2, ChannelEvent::Hangup(Cause::UserBusy)).await;
    assert_eq!(begun.await.unwrap(), Err(Cause::CallRejected));
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_description_is_no_call() {
    let reach = Reach::new("").await;
    let begun = reach.originate("TEST/1", echo()).await.unwrap();
    reach.send(0, ChannelEvent::Accepted(None)).await;
    assert_eq!(begun.await.unwrap(), Err(Cause::BearerNotAvailable));
    assert!(reach.world.ladder.has("0: hangup 58"));
}

#[tokio::test(start_paused = true)]
async fn a_leg_can_be_hung_up_while_it_rings() {
    let reach = Reach::new("").await;
    let begun = reach.originate("TEST/1", echo()).await.unwrap();
    let handle = reach.world.switch.directory().all()[0].clone();
    assert!(handle.hangup(Cause::NormalClearing));
    settle().await;
    assert_eq!(begun.await.unwrap(), Err(Cause::NormalClearing));
    assert!(reach.world.ladder.has("0: hangup 16"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_called_is_said_at_once() {
    let reach = Reach::new("exten => 1,1,Answer()\n").await;
    let why = |result: Result<Begun, NotOriginated>| result.unwrap_err().to_string();
    assert_eq!(
        why(reach.originate("SIP/1", echo()).await),
        "no technology is called 'SIP'; there is TEST"
    );
    assert_eq!(
        why(reach.originate("TEST", echo()).await),
        "'TEST' names no destination; it is written like PJSIP/alice"
    );
    assert_eq!(
        why(reach.originate("TEST/bob", echo()).await),
        "endpoint 'bob' is not registered: it has no contact"
    );
    assert_eq!(
        why(reach.originate("TEST/1", extension("9")).await),
        "there is no extension '9' in context 'test'"
    );
    let nothing = Purpose::Application {
        name: "Nothing".to_owned(),
        arguments: String::new(),
    };
    assert_eq!(
        why(reach.originate("TEST/1", nothing).await),
        "no application is called 'Nothing'"
    );
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_media_for_a_leg_is_a_failure_of_that_leg() {
    let reach = Reach::new("").await;
    reach.world.script.lock().unwrap().full = true;
    let begun = reach.originate("TEST/2", echo()).await.unwrap();
    assert_eq!(begun.await.unwrap(), Err(Cause::ResourceUnavailable));
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stopping_exchange_gives_up_what_rings_and_calls_nobody() {
    let reach = Reach::new("").await;
    let begun = reach.originate("TEST/1", echo()).await.unwrap();
    reach.world.switch.shutdown(Cause::NormalClearing).await;
    assert_eq!(begun.await.unwrap(), Err(Cause::NormalClearing));
    let refused = reach.originate("TEST/1", echo()).await;
    assert_eq!(refused.unwrap_err(), NotOriginated::Stopping);
}

fn ringing() -> ChannelEvent {
    ChannelEvent::Progress {
        status: 180,
        answer: None,
    }
}
