//! Call detail records of calls that are transferred, parked, picked up, forked, or that go on: who talked with whom, as
//! Asterisk writes them.

use switch::{Cause, ChannelEvent, Seat, Transfer, TransferTo};

use crate::reach::Reach;
use crate::records::{Folder, until};
use crate::world::{Call, World, pass, sdp, seconds};

const PLAN: &str = "exten => 100,1,Dial(TEST/1,30,tT)
exten => 200,1,Dial(TEST/1)
exten => 210,1,Dial(TEST/2)
exten => 220,1,Dial(TEST/1,30)
 same => n,Dial(TEST/1,30)
exten => 230,1,Dial(TEST/1,30,g)
 same => n,Playtones(dial)
 same => n,Wait(60)
exten => 300,1,Answer()
 same => n,Wait(60)
exten => 700,1,Park()
exten => 701,1,ParkedCall(default,701)
";

/// A reach that keeps records, and what is done in it.
async fn kept(name: &str, act: impl AsyncFnOnce(&Reach)) -> Vec<String> {
    let folder = Folder::new(&format!("transfer-{name}"));
    let files = [
        ("features.conf", FEATURES),
        ("res_parking.conf", "[default]\n"),
    ];
    let (config, messages) = config::load(&files.as_slice());
    assert!(messages.is_empty(), "{messages:?}");
    let world = World::keeping(config.unwrap(), PLAN, &folder.0).await;
    let reach = Reach::on(world, |endpoint| endpoint.context = "test".to_owned());
    act(&reach).await;
    let store = reach.world.switch.store().clone();
    until(|| reach.count() == 0).await;
    let backend = store.backend().unwrap().clone();
    let records = store.records().unwrap();
    records.flush().await;
    until(|| records.health().journal.pending == 0).await;
    records.stop().await;
    let columns = "src || ' ' || dst || ' ' || lastapp || ' ' || channel || ' > ' || dstchannel || ' ' || disposition \
                   || ' ' || (linkedid = (SELECT MIN(uniqueid) FROM cdr))";
    let columns = columns.replace("FROM cdr", &format!("FROM {}", backend.table("cdr")));
    let sql = format!(
        "SELECT {columns} AS line FROM {} ORDER BY sequence",
        backend.table("cdr")
    );
    let rows = backend.fetch(&sql, &[]).await.unwrap();
    let lines = rows.iter().map(|row| plain(row.text("line").unwrap()));
    let lines = lines.collect();
    store.close().await;
    lines
}

/// Channels without what is made up: `PJSIP/alice-00000001` is `alice-1`.
fn plain(line: &str) -> String {
    let words = line
        .split(' ')
        .map(|word| match word.strip_prefix("PJSIP/") {
            Some(name) => {
                let (name, number) = name.rsplit_once('-').unwrap();
                format!("{name}-{}", u32::from_str_radix(number, 16).unwrap())
            }
            None => word.to_owned(),
        });
    words.collect::<Vec<_>>().join(" ")
}

const FEATURES: &str = "[general]
featuredigittimeout=300
xfersound=
[featuremap]
atxfer=*2
";

async fn talks(reach: &Reach, exten: &str, leg: usize) -> Call {
    let call = reach.world.try_dial(exten, Some(sdp(&["audio"]))).unwrap();
    called(reach, leg).await;
    reach.answer(leg).await;
    until(|| reach.world.ladder.has("connected")).await;
    call
}

async fn called(reach: &Reach, leg: usize) {
    let line = format!("{leg}: call audio");
    until(|| {
        reach
            .world
            .ladder
            .lines()
            .iter()
            .any(|it| it.starts_with(&line))
    })
    .await;
}

fn refers(to: TransferTo) -> ChannelEvent {
    ChannelEvent::Transfer(Box::new(Transfer {
        to,
        referred_by: None,
        refer_to: String::new(),
    }))
}

fn gone() -> ChannelEvent {
    ChannelEvent::Hangup(Cause::NormalClearing)
}

#[tokio::test]
async fn who_is_sent_on_has_a_record_of_each_it_talked_to() {
    let lines = kept("blind", async |reach| {
        let call = talks(reach, "100", 0).await;
        reach
            .send(0, refers(TransferTo::Extension("200".to_owned())))
            .await;
        called(reach, 1).await;
        reach.answer(1).await;
        until(|| reach.world.ladder.count("connected") == 2).await;
        // And once more.
        reach
            .send(1, refers(TransferTo::Extension("300".to_owned())))
            .await;
        until(|| call.runs() == "Wait(60)").await;
        call.inbox.send(gone());
    })
    .await;
    assert_eq!(
        lines,
        [
            "alice 100 Dial alice-0 > alice-1 ANSWERED 1",
            "alice 200 Dial alice-0 > alice-2 ANSWERED 1",
            "alice 300 Wait alice-0 >  ANSWERED 1",
        ]
    );
}

#[tokio::test]
async fn a_called_party_that_is_sent_on_has_records_of_its_own_from_then_on() {
    let lines = kept("called", async |reach| {
        let call = talks(reach, "100", 0).await;
        call.inbox
            .send(refers(TransferTo::Extension("200".to_owned())));
        called(reach, 1).await;
        reach.answer(1).await;
        until(|| reach.world.ladder.count("connected") == 2).await;
        reach.send(1, gone()).await;
    })
    .await;
    assert_eq!(
        lines,
        [
            "alice 100 Dial alice-0 > alice-1 ANSWERED 1",
            "100 200 Dial alice-1 > alice-2 ANSWERED 1",
        ]
    );
}

#[tokio::test]
async fn two_calls_that_become_one_are_three_conversations() {
    let lines = kept("attended", async |reach| {
        let first = talks(reach, "100", 0).await;
        let second = reach.world.try_dial("200", Some(sdp(&["audio"]))).unwrap();
        called(reach, 1).await;
        reach.answer(1).await;
        until(|| reach.world.ladder.count("connected") == 2).await;
        // Leg 0 is the same phone as the second caller: it leads the first to whom it called.
        let seat = TransferTo::Seat(Seat::of(&second.inbox));
        reach.send(0, refers(seat)).await;
        until(|| reach.world.ladder.count("connected") == 3).await;
        first.inbox.send(gone());
    })
    .await;
    assert_eq!(
        lines,
        [
            "alice 100 Dial alice-0 > alice-1 ANSWERED 1",
            "alice 200 Dial alice-2 > alice-3 ANSWERED 0",
            "alice 100 Dial alice-0 > alice-3 ANSWERED 1",
        ]
    );
}

#[tokio::test]
async fn each_party_that_is_called_at_once_has_a_record() {
    let lines = kept("fork", async |reach| {
        let call = reach.world.try_dial("210", Some(sdp(&["audio"]))).unwrap();
        called(reach, 1).await;
        reach.answer(1).await;
        until(|| reach.world.ladder.has("connected")).await;
        call.inbox.send(gone());
    })
    .await;
    let mut lines = lines;
    lines.sort();
    assert_eq!(
        lines,
        [
            "alice 210 Dial alice-0 > alice-1 NO ANSWER 1",
            "alice 210 Dial alice-0 > alice-2 ANSWERED 1",
        ]
    );
}

#[tokio::test]
async fn one_that_is_called_after_another_has_a_record_too() {
    let lines = kept("after", async |reach| {
        let call = reach.world.try_dial("220", Some(sdp(&["audio"]))).unwrap();
        called(reach, 0).await;
        reach.send(0, ChannelEvent::Hangup(Cause::UserBusy)).await;
        called(reach, 1).await;
        reach.answer(1).await;
        until(|| reach.world.ladder.has("connected")).await;
        call.inbox.send(gone());
    })
    .await;
    assert_eq!(
        lines,
        [
            "alice 220 Dial alice-0 > alice-1 BUSY 1",
            "alice 220 Dial alice-0 > alice-2 ANSWERED 1",
        ]
    );
}

#[tokio::test]
async fn who_goes_on_after_the_conversation_has_a_record_of_that() {
    let lines = kept("goes-on", async |reach| {
        let call = talks(reach, "230", 0).await;
        reach.send(0, gone()).await;
        until(|| call.runs() == "Wait(60)").await;
        call.inbox.send(gone());
    })
    .await;
    assert_eq!(
        lines,
        [
            "alice 230 Dial alice-0 > alice-1 ANSWERED 1",
            "alice 230 Wait alice-0 >  ANSWERED 1",
        ]
    );
}

#[tokio::test]
async fn a_parked_call_is_a_record_and_so_is_whoever_picks_it_up() {
    let lines = kept("parked", async |reach| {
        let call = talks(reach, "100", 0).await;
        let switch = &reach.world.switch;
        reach
            .send(0, refers(TransferTo::Extension("700".to_owned())))
            .await;
        until(|| !switch.parkings().all().is_empty()).await;
        let other = reach.world.try_dial("701", Some(sdp(&["audio"]))).unwrap();
        until(|| reach.world.ladder.count("connected") == 2).await;
        other.inbox.send(gone());
        until(|| call.is_over()).await;
    })
    .await;
    // The older of the two has the record of their conversation, as in Asterisk.
    assert_eq!(
        lines,
        [
            "alice 100 Dial alice-0 > alice-1 ANSWERED 1",
            "alice 700 Park alice-0 >  ANSWERED 1",
            "alice 701 ParkedCall alice-2 >  ANSWERED 1",
            "alice 700 Park alice-0 > alice-2 ANSWERED 1",
        ]
    );
}

/// The transferer calls a third, lets all talk, and leaves: two talk on.
#[tokio::test]
async fn each_pair_of_a_call_of_three_has_a_record() {
    let lines = kept("three", async |reach| {
        let call = talks(reach, "100", 0).await;
        let press = async |digits: &str| {
            for digit in digits.chars() {
                call.inbox.send(ChannelEvent::digit(digit));
            }
        };
        press("*2").await;
        call.sees("play tones", 1).await;
        // The announcement is a tone; what is dialled within it ends it.
        until(|| reach.world.ladder.count("play tones") == 2).await;
        press("200").await;
        called(reach, 1).await;
        reach.answer(1).await;
        until(|| reach.world.ladder.count("connected") == 2).await;
        press("*3").await;
        until(|| reach.world.ladder.has("room of 3")).await;
        until(|| reach.world.ladder.count("connected") == 5).await;
        call.inbox.send(gone());
        until(|| call.is_over()).await;
        until(|| reach.world.ladder.count("connected") == 6).await;
        reach.send(1, gone()).await;
    })
    .await;
    assert_eq!(
        lines,
        [
            "alice 100 Dial alice-0 > alice-1 ANSWERED 1",
            "100 200 Dial Local/200@test-00000002;2 > alice-4 ANSWERED 1",
            "alice 100 Dial alice-0 > Local/200@test-00000002;1 ANSWERED 1",
            // All three talk.
            "alice 100 Dial alice-0 > alice-1 ANSWERED 1",
            "100 100 AppDial alice-1 > Local/200@test-00000002;1 ANSWERED 1",
            // The two that are left.
            "100 100 AppDial alice-1 > Local/200@test-00000002;1 ANSWERED 1",
        ]
    );
}

/// Who is sent on to something that is no party has arrived there.
#[tokio::test(start_paused = true)]
async fn who_sent_it_to_an_application_is_told_that_it_arrived() {
    for (application, expected) in [
        ("MusicOnHold()", true),
        ("StreamEcho(1)", true),
        ("Milliwatt()", true),
        ("WaitForSilence(500,1,10)", true),
        ("Dial(TEST/1)", false),
    ] {
        let plan = format!("exten => 100,1,Dial(TEST/1)\nexten => 200,1,{application}\n");
        let world = World::new(&plan).await;
        let reach = Reach::on(world, |endpoint| endpoint.context = "test".to_owned());
        reach.world.dial("100").await;
        reach.answer(0).await;
        reach
            .send(0, refers(TransferTo::Extension("200".to_owned())))
            .await;
        pass(seconds(1)).await;
        let ladder = &reach.world.ladder;
        let is_told = || ladder.has("0: the other fares 200");
        if expected {
            // A recorder is started outside of the paused clock.
            until(is_told).await;
        }
        assert_eq!(is_told(), expected, "{application}");
        assert!(!ladder.has("0: the other fares 487"), "{application}");
    }
}
