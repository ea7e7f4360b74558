//! Calls the exchange makes by itself, to a technology whose far ends are in the test's hands.

use std::time::Duration;

use switch::{
    Begun, CallerId, Cause, ChannelEvent, ChannelState, NotOriginated, Originate, Position, Purpose,
};

use crate::reach::Reach;
use crate::world::{pass, seconds, settle};

impl Reach {
    async fn originate(&self, destination: &str, purpose: Purpose) -> Result<Begun, NotOriginated> {
        let originate = Originate {
            destination: destination.to_owned(),
            purpose,
            timeout: seconds(30),
            caller: CallerId::new("Carol", "700"),
            variables: vec![("COLOUR".to_owned(), "blue".to_owned())],
            before: None,
        };
        let begun = self.world.switch.originate(originate).await;
        settle().await;
        begun
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
    reach.ring(0).await;
    assert_eq!(reach.states()[0].0, ChannelState::Alerting);
    reach.answer(0).await;
    assert_eq!(begun.await.unwrap().unwrap(), "PJSIP/alice-00000000");
    assert_eq!(reach.states(), [(ChannelState::Up, "Echo()".to_owned())]);
    assert!(ladder.has("echo one to one"));
    reach.send(0, ChannelEvent::digit('#')).await;
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
    reach.ring(0).await;
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
