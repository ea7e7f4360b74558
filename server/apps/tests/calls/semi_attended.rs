//! Semi-attended transfer: a phone that talks to one party and whose other call still rings leads the two together (REFER
//! with Replaces). The party takes the phone's place in the call that rings.

use switch::{Cause, ChannelEvent, Seat, Transfer, TransferTo};

use crate::dial::result;
use crate::reach::Reach;
use crate::world::{Call, pass, sdp, seconds};

const PLAN: &str = "exten => 100,1,Dial(TEST/1,30,g)
 same => n,NoOp(first ${DIALSTATUS})
exten => 200,1,Set(WHERE=second)
 same => n,Set(BLINDTRANSFER=of one before it)
 same => n,Gosub(sub,1(7))
 same => n,NoOp(${WHERE} ${DIALSTATUS} ${ATTENDEDTRANSFER} ${BLINDTRANSFER})
exten => sub,1,Dial(TEST/1,30,g)
 same => n,Return()
exten => 210,1,Dial(TEST/1,30,gm)
exten => 220,1,Dial(TEST/1)
 same => n,Playtones(dial)
 same => n,Wait(60)
exten => 230,1,Dial(TEST/1)
exten => 240,1,Answer()
 same => n,Dial(TEST/1)
exten => h,1,NoOp(${CHANNEL} leaves ${EXTEN} ${DIALSTATUS})
";

/// Leg 0 talks to the first caller, and is the phone of the second, which calls this extension: leg 1.
async fn begun(exten: &str) -> (Reach, Call, Call) {
    let reach = Reach::with(PLAN, |endpoint| endpoint.context = "test".to_owned()).await;
    let first = reach.world.dial("100").await;
    reach.answer(0).await;
    let second = reach.world.dial_with(exten, Some(sdp(&["audio"]))).await;
    (reach, first, second)
}

fn refers(second: &Call) -> ChannelEvent {
    ChannelEvent::Transfer(Box::new(Transfer {
        to: TransferTo::Seat(Seat::of(&second.inbox).kept()),
        referred_by: None,
        refer_to: String::new(),
    }))
}

/// What was written since there were so many lines.
fn since(reach: &Reach, count: usize) -> Vec<String> {
    reach.world.ladder.lines().split_off(count)
}

#[tokio::test(start_paused = true)]
async fn who_is_transferred_takes_the_place_in_the_call_that_rings() {
    let (reach, first, second) = begun("200").await;
    reach.ring(1).await;
    let before = reach.world.ladder.lines().len();
    reach.send(0, refers(&second)).await;
    assert!(second.is_over() && !first.is_over());
    let lines = since(&reach, before);
    // The call that rang is terminated (487), the other one ended; who waits hears ringing.
    for line in ["hangup 26", "0: hangup 16", "play tones"] {
        assert!(lines.iter().any(|it| it == line), "{line}: {lines:?}");
    }
    assert!(
        !lines.iter().any(|it| it.starts_with("1: hangup")),
        "{lines:?}"
    );
    assert_eq!(first.runs(), "Dial(TEST/1,30,g)");
    assert_eq!(first.handle.info().at.exten, "sub");
    reach.answer(1).await;
    assert!(reach.world.ladder.has("play tones ends"));
    assert_eq!(reach.world.ladder.count("connected"), 2);
    assert_eq!(reach.count(), 2);
    reach
        .send(1, ChannelEvent::Hangup(Cause::NormalClearing))
        .await;
    // The dial plan of the second call goes on, with its variables and out of its subroutine.
    let remarks = result(&reach);
    assert_eq!(remarks, "second ANSWER PJSIP/alice-00000001");
    assert_eq!(reach.count(), 0);
}

/// It has early media, or music, or nothing yet.
#[tokio::test(start_paused = true)]
async fn it_hears_what_the_transferer_heard() {
    let (reach, first, second) = begun("230").await;
    let answer = Some(sdp(&["audio"]));
    let status = 183;
    reach
        .send(1, ChannelEvent::Progress { status, answer })
        .await;
    assert_eq!(reach.world.ladder.count("connected"), 2);
    reach.send(0, refers(&second)).await;
    assert_eq!(reach.world.ladder.count("connected"), 3);
    assert_eq!(reach.world.ladder.count("parted"), 2);
    reach.answer(1).await;
    assert_eq!(reach.world.ladder.count("connected"), 4);
    first.leave().await;
    assert!(first.saw("1: hangup 16"));
    assert_eq!(reach.count(), 0);

    let (reach, first, second) = begun("230").await;
    reach.send(0, refers(&second)).await;
    assert!(!first.saw("play tones"), "nobody rings yet");
    reach.ring(1).await;
    assert!(first.saw("play tones"));
    first.leave().await;
    assert!(first.saw("1: hangup 16"), "it left while it rang");
    assert_eq!(reach.count(), 0);

    let (reach, first, second) = begun("210").await;
    let music = |reach: &Reach| {
        let lines = reach.world.ladder.lines();
        lines
            .iter()
            .filter(|line| line.starts_with("play music"))
            .count()
    };
    first.sees("early: audio", 1).await;
    first.sees("play music default", 1).await;
    let before = music(&reach);
    reach.send(0, refers(&second)).await;
    assert!(music(&reach) > before, "{:?}", reach.world.ladder.lines());
}

/// Nobody answers: the time began with the transferer's call.
#[tokio::test(start_paused = true)]
async fn the_rest_of_the_dial_plan_is_for_who_was_transferred() {
    let (reach, first, second) = begun("200").await;
    reach.ring(1).await;
    pass(seconds(20)).await;
    reach.send(0, refers(&second)).await;
    pass(seconds(11)).await;
    assert!(first.is_over());
    assert_eq!(result(&reach), "second NOANSWER PJSIP/alice-00000001");
}

/// The phone gives up the call that rings in the same moment.
#[tokio::test(start_paused = true)]
async fn a_place_is_kept_for_who_is_on_its_way() {
    let (reach, first, second) = begun("230").await;
    reach.ring(1).await;
    let transfer = refers(&second);
    second
        .inbox
        .send(ChannelEvent::Hangup(Cause::NormalClearing));
    reach.send(0, transfer).await;
    assert!(second.is_over() && !first.is_over());
    assert!(!first.saw("1: hangup 16"));
    reach.answer(1).await;
    assert_eq!(reach.world.ladder.count("connected"), 2);

    // Nobody comes: the call ends as it would have.
    let (reach, first, second) = begun("230").await;
    reach.ring(1).await;
    let seat = Seat::of(&second.inbox).kept();
    second.leave().await;
    assert!(!second.is_over() && !first.saw("1: hangup 16"));
    drop(seat);
    pass(seconds(0)).await;
    assert!(second.is_over() && first.saw("1: hangup 16"));
    assert!(!first.is_over());
}

/// The called answers or refuses in the same moment.
#[tokio::test(start_paused = true)]
async fn who_comes_a_moment_late_has_the_place_all_the_same() {
    let (reach, first, second) = begun("230").await;
    reach.ring(1).await;
    let transfer = refers(&second);
    reach.answer(1).await;
    assert!(first.saw("answer: audio"));
    reach.send(0, transfer).await;
    assert!(second.is_over() && !first.is_over());
    assert_eq!(reach.count(), 2);
    reach
        .send(1, ChannelEvent::Hangup(Cause::NormalClearing))
        .await;
    assert_eq!(reach.count(), 0);

    let (reach, first, second) = begun("220").await;
    reach.ring(1).await;
    let directory = reach.world.switch.directory();
    let other = reach.world.try_dial("230", Some(sdp(&["audio"]))).unwrap();
    drop(other);
    let transfer = refers(&second);
    // Both are dealt with before the one that is sent on is on its way.
    let opened = reach.opened();
    opened[0].send(transfer);
    opened[1].send(ChannelEvent::Hangup(Cause::UserBusy));
    pass(seconds(0)).await;
    assert!(second.is_over() && !first.is_over());
    assert!(
        directory
            .all()
            .iter()
            .any(|it| it.info().application == "Wait(60)")
    );
}

#[tokio::test(start_paused = true)]
async fn a_transferer_that_was_answered_is_hung_up() {
    let (reach, first, second) = begun("240").await;
    reach.ring(1).await;
    assert_eq!(reach.world.ladder.count("play tones"), 1);
    let before = reach.world.ladder.lines().len();
    reach.send(0, refers(&second)).await;
    let lines = since(&reach, before);
    assert!(lines.iter().any(|it| it == "hangup 16"), "{lines:?}");
    assert_eq!(reach.world.ladder.count("play tones"), 2);
    reach.answer(1).await;
    first.leave().await;
    assert_eq!(reach.count(), 0);
}

/// The other call is one that comes in and rings at the same phone: it is taken by who was referred to it.
#[tokio::test(start_paused = true)]
async fn a_call_that_comes_in_is_picked_up_by_who_is_referred_to_it() {
    let (reach, first, second) = begun("230").await;
    reach.ring(1).await;
    let ringing = reach.opened()[1].clone();
    let transfer = ChannelEvent::Transfer(Box::new(Transfer {
        to: TransferTo::Seat(Seat::of(&ringing).kept()),
        referred_by: None,
        refer_to: String::new(),
    }));
    reach.send(0, transfer).await;
    assert!(first.saw("1: hangup 26") && first.saw("0: hangup 16"));
    assert_eq!(reach.world.ladder.count("connected"), 2);
    assert!(!second.is_over() && !first.is_over());
    second.leave().await;
    assert_eq!(reach.count(), 0);
}

/// What neither talks nor calls has no place to take.
#[tokio::test(start_paused = true)]
async fn a_call_with_an_application_is_no_place() {
    let (reach, first, second) = begun("220").await;
    reach.send(1, ChannelEvent::Hangup(Cause::UserBusy)).await;
    assert_eq!(second.runs(), "Wait(60)");
    reach.send(0, refers(&second)).await;
    assert!(!second.is_over() && !first.is_over());
    assert_eq!(reach.count(), 3);
    second.leave().await;
    assert!(second.is_over(), "it is not kept any longer");
}
