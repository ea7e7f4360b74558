//! Echo and StreamEcho: which streams are asked for, in which order, and what a refusal leaves.

use switch::ChannelEvent;

use crate::world::{World, millis, pass, sdp, seconds};

const PLAN: &str = "exten => 600,1,Answer()\nsame => n,Echo()\nsame => n,Hangup(31)\n\
     exten => 246,1,Answer()\nsame => n,StreamEcho(4)\nsame => n,Hangup(31)\n\
     exten => 247,1,Answer()\nsame => n,StreamEcho()\n\
     exten => 248,1,Answer()\nsame => n,StreamEcho(2,audio)\n\
     exten => 249,1,Answer()\nsame => n,StreamEcho(none)\n\
     exten => 250,1,StreamEcho(4)\n";

#[tokio::test(start_paused = true)]
async fn echo_ends_with_pound_and_nothing_else() {
    let world = World::new(PLAN).await;
    let call = world.dial("600").await;
    for digit in ['1', '*', '0'] {
        call.press(digit).await;
    }
    assert_eq!(call.runs(), "Echo()");
    call.press('#').await;
    assert_eq!(
        world.ladder.lines(),
        [
            "answer: audio, video",
            "echo one to one",
            "echo one to one ends",
            "hangup 31",
            "leg closed"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn stream_echo_asks_for_sendonly_pictures_after_the_ack_and_fans_out_after_the_answer() {
    let mut world = World::new(PLAN).await;
    world.endpoint.max_video_streams = 8;
    let call = world.dial("246").await;
    let offer = "offer: audio, video, video sendonly, video sendonly, video sendonly";
    pass(millis(300)).await;
    assert!(
        call.saw("echo one to one"),
        "echo does not wait for the ACK for ever"
    );
    assert!(
        !call.saw(offer),
        "before the ACK the far end could not take an offer"
    );
    call.send(ChannelEvent::Established).await;
    assert!(call.saw(offer), "{:?}", world.ladder.lines());
    // A browser takes its time; digits that mean nothing go by.
    pass(seconds(20)).await;
    call.press('5').await;
    assert!(!call.saw("echo fan out video"));
    call.send(ChannelEvent::Answer(sdp(&["audio"]))).await;
    let lines = world.ladder.lines();
    assert_eq!(
        lines[lines.len() - 2..],
        ["echo one to one ends", "echo fan out video"]
    );
    call.press('#').await;
    assert!(call.is_over() && call.saw("hangup 31"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_time_finds_no_echo_that_has_spent_the_key_frame() {
    let mut world = World::new(PLAN).await;
    world.endpoint.max_video_streams = 4;
    let call = world.dial("246").await;
    call.send(ChannelEvent::Established).await;
    pass(millis(100)).await;
    call.send(ChannelEvent::Answer(sdp(&["audio"]))).await;
    assert!(call.saw("echo fan out video"));
    assert!(!call.saw("echo one to one"));
}

#[tokio::test(start_paused = true)]
async fn stream_echo_is_limited_by_the_endpoint_and_says_so() {
    let world = World::new(PLAN).await;
    let call = world.dial("246").await;
    call.send(ChannelEvent::Established).await;
    assert!(call.saw("echo fan out video"));
    assert!(
        !world
            .ladder
            .lines()
            .iter()
            .any(|line| line.starts_with("offer"))
    );
    call.leave().await;
    assert_eq!(
        world.remarks(),
        [
            "extensions.conf:6: StreamEcho(4) limited to 1 video stream by max_video_streams=1 of \
          endpoint 'alice' in pjsip.conf; set max_video_streams=4 there to see all 4"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn stream_echo_goes_up_to_the_limit() {
    let mut world = World::new(PLAN).await;
    world.endpoint.max_video_streams = 2;
    let call = world.dial("246").await;
    call.send(ChannelEvent::Established).await;
    assert!(call.saw("offer: audio, video, video sendonly"));
}

#[tokio::test(start_paused = true)]
async fn stream_echo_of_audio_asks_for_audio() {
    let mut world = World::new(PLAN).await;
    world.endpoint.max_audio_streams = 2;
    let call = world.dial("248").await;
    call.send(ChannelEvent::Established).await;
    assert!(
        call.saw("offer: audio, video, audio sendonly"),
        "{:?}",
        world.ladder.lines()
    );
    call.send(ChannelEvent::Answer(sdp(&["audio"]))).await;
    assert!(call.saw("echo fan out audio"));
}

#[tokio::test(start_paused = true)]
async fn stream_echo_without_a_number_or_without_video_is_one_to_one() {
    let mut world = World::new(PLAN).await;
    world.endpoint.max_video_streams = 4;
    let call = world.dial("247").await;
    call.send(ChannelEvent::Established).await;
    let audio = world.dial_with("246", Some(sdp(&["audio"]))).await;
    audio.send(ChannelEvent::Established).await;
    let lines = world.ladder.lines();
    assert!(
        !lines
            .iter()
            .any(|line| line.starts_with("offer") || line.contains("fan out"))
    );
    assert_eq!(world.ladder.count("echo one to one"), 2);
    audio.leave().await;
    assert!(world.remarks()[0].contains("the caller sends no video"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_re_invite_leaves_the_echo_one_to_one() {
    let mut world = World::new(PLAN).await;
    world.endpoint.max_video_streams = 4;
    let call = world.dial("246").await;
    call.send(ChannelEvent::Established).await;
    call.send(ChannelEvent::OfferRejected { status: 488 }).await;
    pass(seconds(60)).await;
    assert!(!call.is_over());
    assert!(!call.saw("echo one to one ends"));
    assert_eq!(call.handle.info().streams, "audio sendrecv, video sendrecv");
    call.press('#').await;
    assert!(call.is_over());
    assert!(
        world
            .remarks()
            .iter()
            .any(|text| text.contains("refused more streams (488)"))
    );
}

#[tokio::test(start_paused = true)]
async fn offers_that_cross_are_made_again() {
    let mut world = World::new(PLAN).await;
    world.endpoint.max_video_streams = 2;
    let call = world.dial("246").await;
    call.send(ChannelEvent::Established).await;
    let offer = "offer: audio, video, video sendonly";
    // Signalling gives ours up, then tells of theirs: the caller is on hold now.
    call.send(ChannelEvent::OfferRejected { status: 491 }).await;
    let held = sdp(&["audio sendonly", "video"]);
    call.send(ChannelEvent::Offer(Some(held))).await;
    assert!(call.saw("accept: audio recvonly, video"));
    assert_eq!(world.ladder.count(offer), 1);
    pass(millis(500)).await;
    assert_eq!(
        world
            .ladder
            .lines()
            .iter()
            .filter(|line| line.starts_with("offer"))
            .count(),
        2
    );
    call.send(ChannelEvent::Answer(sdp(&["audio"]))).await;
    assert!(call.saw("echo fan out video"));
}

#[tokio::test(start_paused = true)]
async fn an_offer_of_the_far_end_that_came_first_wins() {
    let mut world = World::new(PLAN).await;
    world.endpoint.max_video_streams = 2;
    let call = world.dial("246").await;
    // Both are in the inbox before the application can look.
    call.inbox.send(ChannelEvent::Established);
    call.send(ChannelEvent::Offer(Some(sdp(&["audio", "video"]))))
        .await;
    call.send(ChannelEvent::OfferRejected { status: 491 }).await;
    pass(millis(500)).await;
    call.send(ChannelEvent::Answer(sdp(&["audio"]))).await;
    assert!(call.saw("accept: audio, video"));
    assert!(call.saw("echo fan out video"), "{:?}", world.ladder.lines());
}

#[tokio::test(start_paused = true)]
async fn offers_that_cross_for_ever_are_given_up() {
    let mut world = World::new(PLAN).await;
    world.endpoint.max_video_streams = 2;
    let call = world.dial("246").await;
    call.send(ChannelEvent::Established).await;
    for _ in 0..10 {
        call.send(ChannelEvent::OfferRejected { status: 491 }).await;
        pass(seconds(1)).await;
    }
    assert_eq!(world.ladder.count("offer: audio, video, video sendonly"), 3);
    assert!(!call.is_over());
}

#[tokio::test(start_paused = true)]
async fn arguments_that_cannot_be_used_hang_up_and_name_the_line() {
    let world = World::new(PLAN).await;
    let call = world.dial("249").await;
    assert!(call.is_over());
    assert!(world.remarks()[0].starts_with("extensions.conf:13: StreamEcho(none)"));
}

#[tokio::test(start_paused = true)]
async fn echo_does_not_answer() {
    let world = World::new(PLAN).await;
    let call = world.dial("250").await;
    pass(seconds(60)).await;
    assert!(world.ladder.lines().is_empty());
    call.leave().await;
    assert!(world.remarks()[0].contains("put Answer() before it"));
}

#[tokio::test(start_paused = true)]
async fn stream_echo_waits_for_its_turn_after_an_offerless_re_invite() {
    for end in [
        ChannelEvent::Answer(sdp(&["audio", "video"])),
        ChannelEvent::OfferRejected { status: 488 },
    ] {
        let mut world = World::new(PLAN).await;
        world.endpoint.max_video_streams = 2;
        let call = world.dial("246").await;
        call.inbox.send(ChannelEvent::Offer(None));
        call.send(ChannelEvent::Established).await;
        let offer = "offer: audio, video, video sendonly";
        assert!(call.saw("accept: audio, video") && !call.saw(offer));
        call.send(end).await;
        assert!(call.saw(offer), "{:?}", world.ladder.lines());
    }
}
