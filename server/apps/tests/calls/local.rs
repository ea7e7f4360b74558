//! `Local/extension@context`: a call of the dial plan to itself, and calls that are sent on to one.

use switch::{Cause, ChannelEvent};

use crate::dial::{hangs_up, result};
use crate::reach::Reach;
use crate::world::{pass, sdp, seconds};

const PLAN: &str = "exten => 100,1,Set(__COLOUR=blue)
 same => n,Dial(Local/200@test/n,30,${OPTIONS})
 same => n,NoOp(${DIALSTATUS} ${HANGUPCAUSE} ${DIALEDPEERNAME})
exten => 200,1,Set(PJSIP_HEADER(add,X)=y)
 same => n,Goto(${WHERE}${COLOUR},1)
exten => blue,1,Dial(TEST/1)
exten => echo,1,Answer()
 same => n,Echo()
exten => 300,1,Dial(Local/echo@test)
exten => 400,1,Dial(Local/nobody@test)
 same => n,NoOp(${DIALSTATUS})
exten => 500,1,Dial(TEST/1,30,${OPTIONS})
 same => n,NoOp(${DIALSTATUS} ${HANGUPCAUSE} ${DIALEDPEERNUMBER})
";

#[tokio::test(start_paused = true)]
async fn a_call_through_the_dial_plan_joins_the_two_ends() {
    let reach = Reach::new(PLAN).await;
    let call = reach.world.dial("100").await;
    assert!(
        call.saw("0: call audio, video"),
        "{:?}",
        reach.world.ladder.lines()
    );
    assert_eq!(reach.count(), 4, "the caller, both halves, the called");
    reach.ring(0).await;
    assert!(call.saw("ring"));
    reach.answer(0).await;
    assert!(call.saw("answer: audio, video"));
    assert_eq!(
        reach.world.ladder.count("connected"),
        1,
        "the ends, not the halves"
    );
    let names = reach.world.switch.directory().all();
    let halves = names
        .iter()
        .filter(|own| own.name().starts_with("Local/200@test-"));
    assert_eq!(halves.count(), 2);
    call.leave().await;
    assert!(call.saw("0: hangup 16"));
    assert!(reach.world.ladder.has("parted"));
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn how_the_second_half_ends_is_told_to_the_first() {
    let reach = Reach::new(PLAN).await;
    reach.world.dial("100").await;
    hangs_up(&reach, 0, Cause::UserBusy).await;
    assert!(
        reach.world.ladder.has("hangup 17"),
        "{:?}",
        reach.world.ladder.lines()
    );
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_echo_in_the_second_half_is_that_of_the_caller() {
    let reach = Reach::new(PLAN).await;
    let call = reach.world.dial("300").await;
    assert!(call.saw("answer: audio, video") && call.saw("echo one to one"));
    call.leave().await;
    assert!(call.saw("echo one to one ends"));
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_is_not_there_is_unavailable() {
    let reach = Reach::new(PLAN).await;
    reach.world.dial("400").await;
    assert_eq!(result(&reach), "CHANUNAVAIL");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_sent_on_goes_through_the_dial_plan() {
    let reach = Reach::with(PLAN, |endpoint| endpoint.context = "test".to_owned()).await;
    let call = reach.world.dial("500").await;
    let to = "sip:echo@192.0.2.1:5060".to_owned();
    reach.send(0, ChannelEvent::Forwarded(to)).await;
    hangs_up(&reach, 0, Cause::RedirectedToNewDestination).await;
    assert!(call.saw("answer: audio, video") && call.saw("echo one to one"));
    call.leave().await;
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_not_sent_on_where_that_is_not_wanted() {
    let plan = PLAN.replace("${OPTIONS}", "i");
    let reach = Reach::new(&plan).await;
    reach.world.dial("500").await;
    let to = "sip:echo@192.0.2.1".to_owned();
    reach.send(0, ChannelEvent::Forwarded(to)).await;
    hangs_up(&reach, 0, Cause::RedirectedToNewDestination).await;
    assert_eq!(result(&reach), "CHANUNAVAIL 23");
}

#[tokio::test(start_paused = true)]
async fn early_media_and_new_streams_pass_through() {
    let reach = Reach::new(PLAN).await;
    let call = reach.world.dial_with("100", Some(sdp(&["audio"]))).await;
    let answer = Some(sdp(&["audio"]));
    reach
        .send(
            0,
            ChannelEvent::Progress {
                status: 183,
                answer,
            },
        )
        .await;
    assert!(
        call.saw("early: audio") && call.saw("connected"),
        "{:?}",
        reach.world.ladder.lines()
    );
    reach
        .send(0, ChannelEvent::Accepted(Some(sdp(&["audio"]))))
        .await;
    assert!(call.saw("answer: audio"));
    call.send(ChannelEvent::Established).await;
    call.send(ChannelEvent::Offer(Some(sdp(&["audio", "video"]))))
        .await;
    pass(seconds(1)).await;
    assert!(
        call.saw("0: offer audio, video"),
        "{:?}",
        reach.world.ladder.lines()
    );
}

/// `redirect_method=uri_core`: the address itself is called, by the endpoint that sent the call on.
#[tokio::test(start_paused = true)]
async fn redirect_method_says_what_is_called() {
    let reach = Reach::with(PLAN, |endpoint| {
        endpoint.redirect_method = config::RedirectMethod::UriCore;
    })
    .await;
    reach.world.dial("500").await;
    let to = "sip:echo@192.0.2.1".to_owned();
    reach.send(0, ChannelEvent::Forwarded(to)).await;
    hangs_up(&reach, 0, Cause::RedirectedToNewDestination).await;
    let stories = format!("{:?}", reach.world.switch.directory().stories());
    assert!(
        stories.contains("PJSIP/alice/sip:echo@192.0.2.1: no technology"),
        "{stories}"
    );
}

/// LOCALS_WITHIN_MAX in the switch.
#[tokio::test(start_paused = true)]
async fn a_dial_plan_that_calls_itself_ends_at_a_limit() {
    let plan = "exten => 100,1,Dial(Local/100@test)\n same => n,Hangup()\n";
    let reach = Reach::new(plan).await;
    let call = reach.world.dial("100").await;
    for _ in 0..50 {
        crate::world::settle().await;
    }
    assert!(call.is_over());
    assert_eq!(reach.count(), 0);
    let stories = reach.world.switch.directory().stories();
    let told = stories
        .iter()
        .filter(|story| format!("{story:?}").contains("LOCALS_WITHIN_MAX"));
    assert_eq!(told.count(), 1);
    assert_eq!(
        stories.len(),
        1 + 2 * 32 + 1,
        "the caller, 32 calls of two halves, the half that was refused"
    );
}

/// Both halves, and what they call, belong to the call that dialled them.
#[tokio::test(start_paused = true)]
async fn all_parts_of_a_local_call_have_one_linkedid() {
    let plan = "exten => 100,1,Set(GLOBAL(one)=${CHANNEL(linkedid)})\n same => n,Dial(Local/200@test/n)\n\
                exten => 200,1,Set(GLOBAL(two)=${CHANNEL(linkedid)} ${CDR(linkedid)})\n \
                same => n,Dial(TEST/1,,b(three^1))\n\
                exten => three,1,Set(GLOBAL(three)=${CHANNEL(linkedid)})\n same => n,Return()\n";
    let reach = Reach::new(plan).await;
    reach.world.dial("100").await;
    let id = |name: &str| reach.world.switch.global(name).unwrap();
    assert_eq!(id("two"), format!("{0} {0}", id("one")));
    assert_eq!(id("three"), id("one"));
}

/// `CHANNEL(language)` is that of what is called as well, unless its endpoint has its own.
#[tokio::test(start_paused = true)]
async fn the_language_of_the_caller_is_that_of_its_local_calls() {
    let plan = "exten => 100,1,Set(CHANNEL(language)=../de)\n same => n,Set(GLOBAL(none)=${CHANNEL(language)})\n \
                same => n,Set(CHANNEL(language)=de)\n same => n,Set(CHANNEL(accountcode)=sales)\n \
                same => n,Set(GLOBAL(one)=${CHANNEL(language)} ${CDR(accountcode)})\n \
                same => n,Dial(Local/200@test)\n\
                exten => 200,1,Set(GLOBAL(two)=${CHANNEL(language)})\n same => n,Dial(TEST/1,,b(three^1))\n\
                exten => three,1,Set(GLOBAL(three)=${CHANNEL(language)})\n same => n,Return()\n";
    for (own, expected) in [(None, "de"), (Some("fr"), "fr")] {
        let language = own.map(str::to_owned);
        let reach = Reach::with(plan, |endpoint| endpoint.language = language).await;
        reach.world.dial("100").await;
        let is = |name: &str| reach.world.switch.global(name).unwrap();
        assert_eq!(is("none"), own.unwrap_or("en"));
        assert_eq!((is("one").as_str(), is("two").as_str()), ("de sales", "de"));
        assert_eq!(is("three"), expected);
    }
}
