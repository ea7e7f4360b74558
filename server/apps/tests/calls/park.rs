//! Parking: `Park`, `ParkedCall`, options `k` and `K` of `Dial`, the lots of `res_parking.conf`.

use switch::{Cause, ChannelState};

use crate::blind::{announced, press};
use crate::dial::hangs_up;
use crate::features::ran;
use crate::reach::Reach;
use crate::world::{Call, millis, pass, seconds};

const PLAN: &str = "exten => 100,1,Dial(TEST/1,30,kKtT)
exten => 800,1,Park(,s)
exten => 801,1,Park(,s)
exten => 802,1,Park(small,rst(7)c(test^900^1))
 same => n,NoOp(full)
exten => 803,1,Set(PARKINGEXTEN=703)
 same => n,Park()
exten => 804,1,Park(,st(1)c(test,804,1))
exten => 805,1,Dial(Local/800@test)
exten => 806,1,Park(,st(0))
exten => 810,1,ParkAndAnnounce(,s,call-parked:PARKED,TEST/1)
exten => 900,1,NoOp(${PARKING_SPACE} ${PARKEDLOT} ${PARKER})
 same => n,Wait(1000)
include => parkedcalls
include => small
[late]
exten => s,1,NoOp(late ${PARKER_FLAT})
 same => n,Wait(1000)
";

const LOTS: &str = "[default]
parkext=700
parkpos=701-703
context=parkedcalls
parkingtime=30
comebackdialtime=9
courtesytone=hello
parkedplay=both
parkedcalltransfers=caller
parkedcallreparking=callee
parkedcallhangup=both
parkedcallrecording=no
parkedmusicclass=quiet
findslot=next
[small]
parkpos=50
context=small
comebacktoorigin=no
comebackcontext=late
parkingtime=5
parkext=49
parkext_exclusive=yes
";

const FEATURES: &str = "[featuremap]
parkcall=#9
blindxfer=#1
disconnect=*0
";

async fn world() -> Reach {
    let reach = Reach::with("", |endpoint| endpoint.context = "test".to_owned()).await;
    let plan = format!("[test]\n{PLAN}");
    reach.configure(&[
        ("extensions.conf", &plan),
        ("features.conf", FEATURES),
        ("res_parking.conf", LOTS),
    ]);
    reach
}

/// Space and channel of each call that is parked.
fn parked(reach: &Reach) -> Vec<(u32, String)> {
    let all = reach.world.switch.parkings().all();
    all.into_iter().map(|it| (it.space, it.channel)).collect()
}

fn spaces(reach: &Reach) -> Vec<u32> {
    parked(reach).into_iter().map(|(space, _)| space).collect()
}

fn runs(reach: &Reach) -> Vec<String> {
    let states = reach.states().into_iter();
    let live = states.filter(|(state, _)| *state == ChannelState::Up);
    live.map(|(_, runs)| runs).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_is_parked_and_picked_up_at_its_space() {
    let reach = world().await;
    let first = reach.world.dial("800").await;
    let second = reach.world.dial("801").await;
    assert_eq!(spaces(&reach), [701, 702]);
    assert!(!first.is_over() && !second.is_over());
    let third = reach.world.dial("702").await;
    // Both hear the courtesy tone, one after the other.
    announced(&third, 1).await;
    announced(&third, 2).await;
    assert!(third.saw("connected"), "{:?}", reach.world.ladder.lines());
    assert_eq!(spaces(&reach), [701], "the space is free again");
    third.leave().await;
    assert!(second.is_over() && !first.is_over());
    let nobody = reach.world.dial("702").await;
    announced(&nobody, 3).await;
    assert!(nobody.is_over());
    first.leave().await;
    assert!(spaces(&reach).is_empty());
    assert_eq!(reach.count(), 0);
}

/// Keys of phones show spaces.
#[tokio::test(start_paused = true)]
async fn a_hint_of_a_space_follows_who_is_parked_there() {
    use switch::DeviceState::{InUse, Invalid, NotInUse};
    let reach = world().await;
    let switch = &reach.world.switch;
    let state = |device: &str| switch.device_state(device);
    assert_eq!(state("park:701@parkedcalls"), NotInUse);
    for unknown in [
        "park:709@parkedcalls",
        "park:50@parkedcalls",
        "park:x@small",
    ] {
        assert_eq!(state(unknown), Invalid, "{unknown}");
    }
    let call = reach.world.dial("800").await;
    assert_eq!(state("Park:701@parkedcalls"), InUse);
    assert_eq!(state("park:702@parkedcalls"), NotInUse);
    let changes = switch.directory().changes();
    let mut told = std::pin::pin!(changes.notified());
    // What was told before is past.
    while futures_now(&mut told) {
        told.set(changes.notified());
    }
    let third = reach.world.dial("701").await;
    assert_eq!(state("park:701@parkedcalls"), NotInUse);
    assert!(futures_now(&mut told), "who watches is told");
    third.leave().await;
    call.leave().await;
}

/// Whether it is ready.
fn futures_now(future: &mut std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    future.as_mut().poll(&mut context).is_ready()
}

#[tokio::test(start_paused = true)]
async fn the_next_space_is_taken_and_a_full_lot_takes_nobody() {
    let reach = world().await;
    let first = reach.world.dial("800").await;
    first.leave().await;
    let _second = reach.world.dial("800").await;
    assert_eq!(spaces(&reach), [702], "findslot=next");
    let _third = reach.world.dial("802").await;
    assert_eq!(spaces(&reach), [702, 50]);
    let fourth = reach.world.dial("802").await;
    announced(&fourth, 2).await;
    assert!(fourth.is_over(), "one space is all there is");
    let named = reach.world.dial("803").await;
    announced(&named, 3).await;
    announced(&named, 4).await;
    announced(&named, 5).await;
    assert_eq!(spaces(&reach), [702, 703, 50]);
    let next = reach.world.dial("803").await;
    for digit in 6..=8 {
        announced(&next, digit).await;
    }
    assert_eq!(
        spaces(&reach),
        [701, 702, 703, 50],
        "the search begins there"
    );
}

#[tokio::test(start_paused = true)]
async fn digits_park_the_other_party_and_tell_the_space() {
    let reach = world().await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    press(&call, "#9").await;
    for digit in 1..=3 {
        announced(&call, digit).await;
    }
    assert!(call.is_over(), "{:?}", reach.world.ladder.lines());
    assert_eq!(parked(&reach), [(701, "PJSIP/alice-00000001".to_owned())]);
    hangs_up(&reach, 0, Cause::NormalClearing).await;
    assert_eq!(reach.count(), 0);

    let reach = world().await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    reach.press(0, "#9").await;
    for digit in 1..=3 {
        announced(&call, digit).await;
    }
    assert!(call.saw("0: hangup 16") && !call.is_over());
    assert_eq!(parked(&reach), [(701, "PJSIP/alice-00000000".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_blind_transfer_to_the_extension_that_parks_tells_the_space() {
    let reach = world().await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    press(&call, "#1").await;
    announced(&call, 1).await;
    press(&call, "700").await;
    for digit in 3..=5 {
        announced(&call, digit).await;
    }
    assert!(call.is_over(), "{:?}", reach.world.ladder.lines());
    assert_eq!(spaces(&reach), [701]);
}

#[tokio::test(start_paused = true)]
async fn who_parked_it_is_called_when_the_time_is_over() {
    let reach = world().await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    press(&call, "#9").await;
    for digit in 1..=3 {
        announced(&call, digit).await;
    }
    pass(seconds(29)).await;
    assert_eq!(spaces(&reach), [701]);
    pass(seconds(1)).await;
    assert!(spaces(&reach).is_empty());
    // There is no such technology here, so the call ends.
    assert_eq!(reach.count(), 0);
    let stories = reach.world.switch.directory().stories();
    let events = stories.iter().flat_map(|story| &story.events);
    let dialled = events.filter(|entry| {
        let said = format!("{:?}", entry.event);
        said.contains("Dial(PJSIP/alice,9,th)")
    });
    assert_eq!(dialled.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_in_the_dial_plan_where_that_is_written() {
    let reach = world().await;
    let _call = reach.world.dial("802").await;
    assert_eq!(runs(&reach), ["Parked Call (50)"]);
    pass(seconds(7)).await;
    assert_eq!(runs(&reach), ["Wait(1000)"]);
    let reach = world().await;
    let call = reach.world.dial("49").await;
    announced(&call, 1).await;
    announced(&call, 2).await;
    assert_eq!(spaces(&reach), [50], "its own lot");
    pass(seconds(5)).await;
    assert_eq!(runs(&reach), ["Wait(1000)"]);
    call.leave().await;
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_may_be_parked_again_and_again_and_for_ever() {
    let reach = world().await;
    let call = reach.world.dial("804").await;
    // Each time nested in the one before, this would be more than a stack holds.
    for _ in 0..5000 {
        pass(seconds(1)).await;
    }
    assert_eq!(spaces(&reach).len(), 1);
    call.leave().await;
    assert_eq!(reach.count(), 0);
    let _call = reach.world.dial("806").await;
    pass(seconds(100_000)).await;
    assert_eq!(spaces(&reach).len(), 1, "t(0) is no limit");
}

#[tokio::test(start_paused = true)]
async fn a_local_channel_that_parked_itself_is_not_called_back() {
    let reach = world().await;
    let _call = reach.world.dial("805").await;
    assert_eq!(spaces(&reach), [701]);
    pass(seconds(31)).await;
    assert!(spaces(&reach).is_empty());
    assert_eq!(reach.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn two_pick_up_and_one_of_them_gets_it() {
    let reach = world().await;
    let _parked = reach.world.dial("800").await;
    let one = reach
        .world
        .try_dial("701", Some(crate::world::sdp(&["audio"])));
    let two = reach
        .world
        .try_dial("701", Some(crate::world::sdp(&["audio"])));
    let (one, two): (Call, Call) = (one.unwrap(), two.unwrap());
    announced(&one, 2).await;
    pass(millis(700)).await;
    assert_ne!(one.is_over(), two.is_over());
}

#[tokio::test(start_paused = true)]
async fn who_picked_it_up_may_do_what_the_lot_allows() {
    let reach = world().await;
    let parked = reach.world.dial("800").await;
    let call = reach.world.dial("701").await;
    announced(&call, 1).await;
    announced(&call, 2).await;
    assert!(call.saw("connected"));
    press(&parked, "#1").await;
    assert!(!call.saw("parted"), "transfers are for who picked up");
    press(&call, "#9").await;
    assert!(!call.saw("parted"), "parking anew is for who was parked");
    press(&call, "#1").await;
    assert!(call.saw("parted"));
}

#[tokio::test(start_paused = true)]
async fn who_is_called_for_it_hears_where_a_call_is_parked() {
    let reach = world().await;
    let space = || reach.world.switch.device_state("park:701@parkedcalls");
    let call = reach.world.dial("810").await;
    assert_eq!(space(), switch::DeviceState::InUse);
    assert!(
        call.saw("0: call audio, video"),
        "{:?}",
        reach.world.ladder.lines()
    );
    reach.answer(0).await;
    call.sees("0: hangup 16", 1).await;
    let said = "Application { application: \"Playback(call-parked&digits/7&digits/0&digits/1)\"";
    assert_eq!(ran(&reach, said), 1);
    assert_eq!(space(), switch::DeviceState::InUse, "it stays");
    call.leave().await;
    assert_eq!(space(), switch::DeviceState::NotInUse);
}
