//! Functions between calls: variables of other channels, locks, groups that are dialled; and what belongs to subroutines.

use crate::dial::result;
use crate::reach::Reach;
use crate::records::{Folder, until};
use crate::world::{World, pass, seconds};

#[tokio::test(start_paused = true)]
async fn variables_are_shared_between_channels() {
    let plan = "exten => 1,1,Set(SHARED(colour)=blue)\n same => n,Set(own=secret)\n same => n,Set(GLOBAL(first)=${CHANNEL})\n \
                same => n,Wait(5)\n same => n,Set(GLOBAL(got)=${SHARED(colour)})\n same => n,Wait(90)\n\
                exten => 2,1,Set(GLOBAL(is)=${SHARED(colour,${first})} [${SHARED(colour)}] ${IMPORT(${first},own)} \
                ${IMPORT(${first},EXTEN)} ${IMPORT(${first},CALLERID(num))} [${IMPORT(PJSIP/none-1,own)}])\n \
                same => n,Set(SHARED(colour,${first})=red)\n";
    let world = World::new(plan).await;
    world.dial("1").await;
    world.dial("2").await;
    let global = |name| world.switch.global(name).unwrap();
    assert_eq!(global("is"), "blue [] secret 1 alice []");
    pass(seconds(5)).await;
    assert_eq!(global("got"), "red");
}

/// What a subroutine of the called sets at the channel the call began with stands there when it goes on.
#[tokio::test(start_paused = true)]
async fn the_called_reads_and_sets_variables_of_the_caller() {
    let plan = "exten => 100,1,Set(colour=blue)\n same => n,Dial(TEST/1,30,gU(sub^s^1))\n \
                same => n,NoOp(${said} ${back} ${MASTER_CHANNEL(said)})\n\
                [sub]\nexten => s,1,Set(MASTER_CHANNEL(said)=${MASTER_CHANNEL(colour)}ish)\n \
                same => n,Set(MASTER_CHANNEL(back)=${MASTER_CHANNEL(said)})\n same => n,Return()\n";
    let reach = Reach::new(plan).await;
    reach.world.dial("100").await;
    reach.answer(0).await;
    crate::dial::hangs_up(&reach, 0, switch::Cause::NormalClearing).await;
    assert_eq!(result(&reach), "blueish blueish blueish");
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_waited_for_until_its_holder_is_gone() {
    let plan = "exten => 1,1,NoOp(${LOCK(door)})\n same => n,Wait(7)\n\
                exten => 2,1,Set(GLOBAL(tried)=${TRYLOCK(door)}${UNLOCK(door)})\n \
                same => n,Set(GLOBAL(got)=${LOCK(do${none}or)})\n same => n,Set(GLOBAL(after)=${UNLOCK(door)}${UNLOCK(door)})\n \
                same => n,Wait(90)\n\
                exten => 3,1,Set(GLOBAL(late)=${TRYLOCK(door)}${LOCK(door)})\n same => n,Set(GLOBAL(late)=${late}${UNLOCK(door)}${UNLOCK(door)}${UNLOCK(door)})\n";
    let world = World::new(plan).await;
    world.dial("1").await;
    let second = world.dial("2").await;
    let global = |name| world.switch.global(name);
    assert_eq!(
        (global("tried"), global("got")),
        (Some("00".to_owned()), None)
    );
    pass(seconds(6)).await;
    assert_eq!(global("got"), None);
    pass(seconds(1)).await;
    assert_eq!(global("got").as_deref(), Some("1"));
    assert_eq!(global("after").as_deref(), Some("10"));
    world.dial("3").await;
    assert_eq!(global("late").as_deref(), Some("11110"));
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_waits_for_no_lock_and_two_that_wait_for_each_other_do_so_for_three_seconds() {
    let plan = "exten => 1,1,NoOp(${LOCK(a)})\n same => n,Wait(1)\n same => n,Set(GLOBAL(one)=${LOCK(b)})\n same => n,Wait(90)\n\
                exten => 2,1,NoOp(${LOCK(b)})\n same => n,Wait(1)\n same => n,Set(GLOBAL(two)=${LOCK(a)})\n same => n,Wait(90)\n\
                exten => 3,1,NoOp(${LOCK(a)})\n same => n,Wait(90)\n";
    let world = World::new(plan).await;
    world.dial("1").await;
    world.dial("2").await;
    let third = world.dial("3").await;
    third.leave().await;
    assert!(third.is_over());
    pass(seconds(1)).await;
    pass(seconds(3)).await;
    let global = |name| world.switch.global(name).unwrap();
    assert_eq!(
        (global("one"), global("two")),
        ("0".to_owned(), "0".to_owned())
    );
}

#[tokio::test]
async fn groups_that_are_dialled_are_changed_by_the_dial_plan() {
    let plan = "exten => 1,1,Set(DIALGROUP(sales)=PJSIP/a&PJSIP/b)\n same => n,Set(DIALGROUP(sales,add)=PJSIP/c)\n \
                same => n,Set(DIALGROUP(sales,add)=PJSIP/a)\n same => n,Set(DIALGROUP(sales,add)=PJSIP/x,y)\n same => n,Set(DIALGROUP(sales,del)=PJSIP/b)\n \
                same => n,Set(GLOBAL(is)=${DIALGROUP(sales)} [${DIALGROUP(none)}])\n";
    let folder = Folder::new("dialgroup");
    let world = World::keeping(config::Config::default(), plan, &folder.0).await;
    let call = world.dial("1").await;
    until(|| call.is_over()).await;
    assert_eq!(world.switch.global("is").unwrap(), "PJSIP/a&PJSIP/c []");
    world.switch.store().clone().close().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_hidden_by_subroutines_can_be_peeked_at() {
    let plan = "exten => 100,1,Set(x=outer)
 same => n,Gosub(sub,s,1)
[sub]
exten => s,1,Set(LOCAL(x)=middle)
 same => n,Set(z=1)
 same => n,Gosub(deeper,s,1)
[deeper]
exten => s,1,Set(LOCAL(x)=inner)
 same => n,Set(y=${LOCAL_PEEK(0,x)} ${LOCAL_PEEK(1,x)} ${LOCAL_PEEK(2,x)} [${LOCAL_PEEK(3,x)}])
 same => n,NoOp(${y} ${STACK_PEEK(1,l)} ${STACK_PEEK(2,c)} ${STACK_PEEK(2,e)} ${STACK_PEEK(2,p)} [${STACK_PEEK(3,l,1)}${STACK_PEEK(0,l)}])
";
    let reach = Reach::new(plan).await;
    reach.world.dial("100").await;
    assert_eq!(
        result(&reach),
        "inner middle outer [] sub,s,3 test 100 2 []"
    );
}

#[tokio::test(start_paused = true)]
async fn headers_are_read_by_number_and_beginning() {
    let plan = "exten => 1,1,Set(GLOBAL(is)=${PJSIP_HEADER(read,X-Test)} ${PJSIP_HEADER(read,X-*,2)} \
                [${PJSIP_HEADER(read,X-Test,3)}] ${PJSIP_HEADERS()} ${PJSIP_HEADERS(x)})\n";
    let world = World::new(plan).await;
    world.dial("1").await;
    assert_eq!(
        world.switch.global("is").unwrap(),
        "yes again [] From,X-Test X-Test"
    );
}

/// Nothing interrupts a call that is over, and what it does then is done to its end.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_over_takes_locks_and_looks_endpoints_up() {
    let plan = "exten => 1,1,Wait(1)\n\
                exten => h,1,Set(GLOBAL(got)=${LOCK(x)}[${PJSIP_AOR(none,contact)}])\n same => n,Set(GLOBAL(on)=yes)\n\
                exten => 2,1,NoOp(${LOCK(x)})\n same => n,Wait(90)\n";
    for (is_held, got) in [(false, "1[]"), (true, "0[]")] {
        let world = World::new(plan).await;
        if is_held {
            world.dial("2").await;
        }
        let call = world.dial("1").await;
        call.leave().await;
        pass(seconds(3)).await;
        let global = |name| world.switch.global(name);
        assert_eq!(global("got").as_deref(), Some(got));
        assert_eq!(global("on").as_deref(), Some("yes"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_is_prepared_waits_no_longer_for_what_its_caller_holds() {
    let plan = "exten => 1,1,Set(own=${LOCK(x)})\n same => n,Dial(TEST/1,,b(sub^s^1))\n\
                [sub]\nexten => s,1,Set(GLOBAL(got)=${LOCK(x)})\n same => n,Return()\n";
    let reach = Reach::new(plan).await;
    let call = reach.world.dial("1").await;
    pass(seconds(3)).await;
    assert_eq!(reach.world.switch.global("got").as_deref(), Some("0"));
    call.leave().await;
    assert!(call.is_over());
    assert_eq!(reach.count(), 0);
}
