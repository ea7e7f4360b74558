//! Two who talk through a transcoder though they have a codec in common: one is offered it.

use config::Endpoint;
use switch::{Cause, ChannelEvent};

use crate::dial::hangs_up;
use crate::reach::Reach;
use crate::world::{Call, millis, pass, sdp, seconds};

const PLAN: &str = "exten => 100,1,Answer()\n same => n,Dial(TEST/1)";
const BROWSER: &str = "audio sendrecv opus ulaw";

fn allow(endpoint: &mut Endpoint, names: &[&str]) {
    let codecs = names.iter().map(|name| codec::by_name(name).unwrap());
    endpoint.allow = codecs.collect();
}

/// A browser is answered, and then connected to a phone that answers with this.
async fn talk(phone: &str, change: impl FnOnce(&mut Endpoint)) -> (Reach, Call) {
    let codecs = ["opus", "g722", "ulaw", "alaw"];
    let reach = Reach::with(PLAN, |endpoint| {
        allow(endpoint, &codecs);
        change(endpoint);
    })
    .await;
    let call = reach.world.dial_with("100", Some(sdp(&[BROWSER]))).await;
    assert!(
        call.saw("answer: audio opus ulaw"),
        "{:?}",
        reach.world.ladder.lines()
    );
    let answer = ChannelEvent::Accepted(Some(sdp(&[phone])));
    reach.send(0, answer).await;
    assert!(call.saw("connected"));
    (reach, call)
}

/// How often the browser was offered this.
fn offers(reach: &Reach, what: &str) -> usize {
    reach.world.ladder.count(&format!("offer: {what}"))
}

/// The stories of all calls that have ended.
fn told(reach: &Reach) -> String {
    format!("{:?}", reach.world.switch.directory().stories())
}

/// That nobody is offered anything any more.
async fn rests(reach: &Reach, offers: usize) {
    pass(seconds(60)).await;
    let lines = reach.world.ladder.lines();
    let made = lines.iter().filter(|line| line.contains("offer")).count();
    assert_eq!(made, offers, "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_was_answered_first_is_offered_the_codec_of_the_phone() {
    let (reach, call) = talk("audio sendrecv ulaw", |_| {}).await;
    assert_eq!(offers(&reach, "audio ulaw"), 0, "its ACK has not come");
    call.send(ChannelEvent::Established).await;
    assert_eq!(
        offers(&reach, "audio ulaw"),
        1,
        "{:?}",
        reach.world.ladder.lines()
    );
    call.send(ChannelEvent::Answer(sdp(&["audio sendrecv ulaw"])))
        .await;
    rests(&reach, 1).await;
    // What it offers itself is taken and left alone.
    let offer = ChannelEvent::Offer(Some(sdp(&[BROWSER])));
    call.send(offer).await;
    assert!(call.saw("accept: audio opus ulaw"));
    rests(&reach, 1).await;
    hangs_up(&reach, 0, Cause::NormalClearing).await;
    call.leave().await;
    assert!(told(&reach).contains("offering ulaw, so that audio need not be transcoded"));
}

#[tokio::test(start_paused = true)]
async fn who_changes_its_codec_in_the_call_is_not_asked_to_change_back() {
    let (reach, call) = talk("audio sendrecv opus ulaw", |_| {}).await;
    call.send(ChannelEvent::Established).await;
    rests(&reach, 0).await;
    let chosen = sdp(&["audio sendrecv alaw"]);
    call.send(ChannelEvent::Offer(Some(chosen))).await;
    assert!(
        call.saw("accept: audio alaw"),
        "{:?}",
        reach.world.ladder.lines()
    );
    rests(&reach, 0).await;
}

#[tokio::test(start_paused = true)]
async fn sound_that_would_become_narrower_stays_as_it_is() {
    let (reach, call) = talk("audio sendrecv g722 ulaw", |_| {}).await;
    call.send(ChannelEvent::Established).await;
    rests(&reach, 0).await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_with_one_preferred_codec_keeps_it() {
    let change = |endpoint: &mut Endpoint| endpoint.preferred_codec_only = true;
    let (reach, call) = talk("audio sendrecv ulaw", change).await;
    call.send(ChannelEvent::Established).await;
    rests(&reach, 0).await;
}

#[tokio::test(start_paused = true)]
async fn who_refuses_is_not_asked_again() {
    for status in [488, 415, 500] {
        let (reach, call) = talk("audio sendrecv ulaw", |_| {}).await;
        call.send(ChannelEvent::Established).await;
        call.send(ChannelEvent::OfferRejected { status }).await;
        rests(&reach, 1).await;
        assert!(!call.is_over(), "they talk on through the transcoder");
    }
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_crossed_with_one_is_made_again() {
    let (reach, call) = talk("audio sendrecv ulaw", |_| {}).await;
    call.send(ChannelEvent::Established).await;
    call.send(ChannelEvent::OfferRejected { status: 491 }).await;
    assert_eq!(offers(&reach, "audio ulaw"), 1);
    pass(millis(600)).await;
    assert_eq!(offers(&reach, "audio ulaw"), 2);
    call.send(ChannelEvent::Answer(sdp(&["audio sendrecv ulaw"])))
        .await;
    rests(&reach, 2).await;
}

#[tokio::test(start_paused = true)]
async fn who_holds_is_offered_nothing_until_it_resumes() {
    let (reach, call) = talk("audio sendrecv ulaw", |_| {}).await;
    let hold = sdp(&["audio sendonly opus ulaw"]);
    call.send(ChannelEvent::Offer(Some(hold))).await;
    call.send(ChannelEvent::Established).await;
    rests(&reach, 0).await;
    call.send(ChannelEvent::Offer(Some(sdp(&[BROWSER])))).await;
    assert_eq!(
        offers(&reach, "audio ulaw"),
        1,
        "{:?}",
        reach.world.ladder.lines()
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_two_agree_on_by_themselves_needs_no_offer() {
    let (reach, call) = talk("audio sendrecv opus", |_| {}).await;
    call.send(ChannelEvent::Established).await;
    rests(&reach, 0).await;
    call.leave().await;
    assert!(!told(&reach).contains("transcoded"));
}
