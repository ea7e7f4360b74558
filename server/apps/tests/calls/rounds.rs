//! Offers of the far end in the middle of a call.

use rtc::Refused;
use switch::ChannelEvent;
use switch::story::StoryEvent;

use crate::world::{World, sdp};

const PLAN: &str = "exten => 1,1,Answer()\nsame => n,Wait(600)\n";

#[tokio::test(start_paused = true)]
async fn hold_and_resume_are_answered_while_the_application_waits() {
    let world = World::new(PLAN).await;
    let call = world.dial("1").await;
    call.send(ChannelEvent::Offer(Some(sdp(&[
        "audio inactive",
        "video inactive",
    ]))))
    .await;
    assert!(call.saw("accept: audio inactive, video inactive"));
    call.send(ChannelEvent::Offer(Some(sdp(&["audio", "video"]))))
        .await;
    assert!(call.saw("accept: audio, video"));
    call.leave().await;
    let events = &world.story().events;
    let held = events
        .iter()
        .filter(|entry| entry.event == StoryEvent::Held)
        .count();
    let resumed = events
        .iter()
        .filter(|entry| entry.event == StoryEvent::Resumed)
        .count();
    assert_eq!((held, resumed), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn video_added_by_the_far_end_is_taken() {
    let world = World::new(PLAN).await;
    let call = world.dial_with("1", Some(sdp(&["audio"]))).await;
    call.send(ChannelEvent::Offer(Some(sdp(&["audio", "video"]))))
        .await;
    assert_eq!(call.handle.info().streams, "audio sendrecv, video sendrecv");
}

#[tokio::test(start_paused = true)]
async fn an_offer_we_cannot_accept_is_refused_and_the_call_goes_on() {
    let world = World::new(PLAN).await;
    let call = world.dial("1").await;
    world
        .script
        .lock()
        .unwrap()
        .refuse
        .push(Refused::FingerprintChanged);
    call.send(ChannelEvent::Offer(Some(sdp(&["audio"])))).await;
    assert!(call.saw("refuse 488"));
    assert!(!call.is_over());
    assert_eq!(call.handle.info().streams, "audio sendrecv, video sendrecv");
}

#[tokio::test(start_paused = true)]
async fn an_offerless_re_invite_hears_again_what_stands() {
    let world = World::new(PLAN).await;
    let call = world.dial("1").await;
    call.send(ChannelEvent::Offer(None)).await;
    assert!(call.saw("accept: audio, video"));
    call.send(ChannelEvent::Answer(sdp(&["audio", "video"])))
        .await;
    assert!(!call.is_over());
    assert_eq!(call.handle.info().streams, "audio sendrecv, video sendrecv");
}

/// The ACK of an offerless re-INVITE carries the answer, which may hold; the next one asks to go on.
#[tokio::test(start_paused = true)]
async fn hold_and_resume_are_seen_in_answers_to_offers_that_were_asked_for() {
    let world = World::new(PLAN).await;
    let call = world.dial("1").await;
    call.send(ChannelEvent::Offer(None)).await;
    let held = sdp(&["audio sendonly", "video inactive"]);
    call.send(ChannelEvent::Answer(held.clone())).await;
    assert_eq!(call.handle.info().streams, "audio recvonly, video inactive");
    call.send(ChannelEvent::Offer(None)).await;
    assert_eq!(
        world.ladder.count("accept: audio, video"),
        2,
        "hold must not be the only thing left to answer"
    );
    call.send(ChannelEvent::Answer(held)).await;
    assert_eq!(call.handle.info().streams, "audio recvonly, video inactive");
    call.send(ChannelEvent::Offer(None)).await;
    // The ACK brings nothing: the hold stands.
    call.send(ChannelEvent::OfferRejected { status: 488 }).await;
    assert_eq!(call.handle.info().streams, "audio recvonly, video inactive");
    call.send(ChannelEvent::Offer(None)).await;
    call.send(ChannelEvent::Answer(sdp(&["audio", "video"])))
        .await;
    assert_eq!(call.handle.info().streams, "audio sendrecv, video sendrecv");
    call.leave().await;
    let story = world.story();
    let held = |event: &StoryEvent| matches!(event, StoryEvent::Held | StoryEvent::Resumed);
    let count = story.events.iter().filter(|entry| held(&entry.event));
    assert_eq!(count.count(), 2);
}

/// Media cannot undo what it has taken, so what stood before is offered to the far end.
#[tokio::test(start_paused = true)]
async fn an_offer_taken_back_is_undone_by_one_of_ours() {
    let world = World::new(PLAN).await;
    let call = world.dial_with("1", Some(sdp(&["audio"]))).await;
    call.send(ChannelEvent::Established).await;
    call.send(ChannelEvent::Offer(Some(sdp(&["audio inactive", "video"]))))
        .await;
    call.send(ChannelEvent::OfferWithdrawn).await;
    assert!(call.saw("offer: audio, video inactive"));
    call.send(ChannelEvent::Answer(sdp(&["audio", "video inactive"])))
        .await;
    assert_eq!(call.handle.info().streams, "audio sendrecv, video inactive");
    assert!(!call.is_over());
}

#[tokio::test(start_paused = true)]
async fn an_offer_taken_back_that_changed_nothing_needs_nothing() {
    let world = World::new(PLAN).await;
    let call = world.dial("1").await;
    call.send(ChannelEvent::Offer(Some(sdp(&["audio", "video"]))))
        .await;
    call.send(ChannelEvent::OfferWithdrawn).await;
    call.send(ChannelEvent::Offer(None)).await;
    call.send(ChannelEvent::OfferWithdrawn).await;
    call.send(ChannelEvent::OfferWithdrawn).await;
    assert!(!call.is_over());
    let offers = world.ladder.lines();
    assert!(
        !offers.iter().any(|line| line.starts_with("offer")),
        "{offers:?}"
    );
    assert_eq!(call.handle.info().streams, "audio sendrecv, video sendrecv");
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_offer_cannot_be_accepted_is_refused_with_the_reason() {
    let world = World::new(PLAN).await;
    world
        .script
        .lock()
        .unwrap()
        .refuse
        .push(Refused::NoFingerprint);
    let call = world.dial("1").await;
    assert!(call.is_over());
    assert_eq!(world.ladder.lines(), ["refuse 488", "leg closed"]);
    let verdict = world.story().verdict.clone().unwrap().english;
    assert!(verdict.contains("No a=fingerprint"), "{verdict}");
    assert!(
        !verdict.contains("allow="),
        "no codec would cure it: {verdict}"
    );
}

#[tokio::test(start_paused = true)]
async fn answers_nobody_asked_for_change_nothing() {
    let world = World::new(PLAN).await;
    let call = world.dial("1").await;
    call.send(ChannelEvent::Answer(sdp(&["audio inactive"])))
        .await;
    call.send(ChannelEvent::OfferRejected { status: 500 }).await;
    assert!(!call.is_over());
    assert_eq!(call.handle.info().streams, "audio sendrecv, video sendrecv");
}

/// A re-INVITE that says who is connected, or refreshes the session, carries what stands.
#[tokio::test(start_paused = true)]
async fn another_answer_to_what_stands_is_taken_and_the_same_one_is_no_news() {
    let world = World::new(PLAN).await;
    let call = world.dial("1").await;
    let same = sdp(&["audio", "video"])
        .to_string()
        .replace("o=- 1 1 ", "o=- 1 2 ");
    call.send(ChannelEvent::Restated(same.parse().unwrap()))
        .await;
    let other = sdp(&["audio", "video inactive"]);
    call.send(ChannelEvent::Restated(other.clone())).await;
    assert_eq!(call.handle.info().streams, "audio sendrecv, video inactive");
    call.send(ChannelEvent::Restated(other)).await;
    call.leave().await;
    let answered = |event: &StoryEvent| matches!(event, StoryEvent::Answered { .. });
    let story = world.story();
    let rounds = story.events.iter().filter(|entry| answered(&entry.event));
    assert_eq!(
        rounds.count(),
        2,
        "the call's, and the one that was another"
    );
}
