//! The dial plan of a small office, as integrators write it: what the applications do together.

use std::path::PathBuf;

use config::Config;
use switch::Cause;

use crate::dial::hangs_up;
use crate::reach::Reach;
use crate::world::{Call, World, millis, pass, seconds, settle};

/// Phones are `TEST/1`, one leg each; the trunks are too.
const PLAN: &str = "include => phones
include => codes
include => groups
exten => _0X.,1,Macro(outside,${EXTEN:1})
exten => i,1,Playback(invalid)
 same => n,Hangup()

[globals]
PHONE_101=TEST/1
PHONE_102=TEST/1
CELL_101=0170123456
TRUNK_A=TEST/1
TRUNK_B=TEST/1
RINGS=20

[phones]
exten => 101,hint,TEST/101
exten => _1XX,1,Gosub(call-phone,${EXTEN},1(${EXTEN}))
 same => n,Hangup()

[call-phone]
exten => _X.,1,Set(LOCAL(ext)=${ARG1})
 same => n,GotoIf($[\"${DB(dnd/${ext})}\" = \"yes\"]?busy)
 same => n,Set(LOCAL(to)=${DB(forward/${ext})})
 same => n,GotoIf(${EXISTS(${to})}?forward)
 same => n,Dial(${PHONE_${ext}},${RINGS},tTkK)
 same => n,Set(GLOBAL(was)=${DIALSTATUS})
 same => n,Goto(s-${DIALSTATUS},1)
 same => n(forward),Set(__FORWARDS=${INC(FORWARDS)})
 same => n,GotoIf($[${FORWARDS} > 3]?busy)
 same => n,Dial(Local/${to}@test/n,${RINGS},g)
 same => n,GotoIf($[\"${DIALSTATUS}\" = \"BUSY\"]?busy)
 same => n,Return()
 same => n(busy),Busy(5)
exten => s-BUSY,1,Playback(busy-message)
 same => n,Return(busy)
exten => _s-.,1,Answer()
 same => n,Playback(leave-message)
 same => n,Record(messages/${ext}-%d.wav,3,60,k)
 same => n,Return(message)

[codes]
exten => *72,1,Answer()
 same => n,Read(to,where-to,,,2,5)
 same => n,GotoIf($[${LEN(${FILTER(0-9,${to})})} = 0]?none)
 same => n,Set(DB(forward/${DB(user/${CALLERID(num)})})=${FILTER(0-9,${to})})
 same => n,Playback(forwarded)
 same => n,Hangup()
 same => n(none),Playback(invalid)
exten => _*72X.,1,Set(DB(forward/${DB(user/${CALLERID(num)})})=${EXTEN:3})
 same => n,Hangup()
exten => *73,1,Set(gone=${DB_DELETE(forward/${DB(user/${CALLERID(num)})})})
 same => n,Hangup()
exten => _*7[89],1,Set(DB(dnd/${DB(user/${CALLERID(num)})})=${IF($[${EXTEN:-1} = 8]?yes:no)})
 same => n,Hangup()

[groups]
exten => 600,1,Set(CALLERID(name)=Sales: ${CALLERID(name)})
 same => n,Dial(${PHONE_101}&${PHONE_102}&Local/102@phones/n,15,m)
 same => n,GotoIf($[\"${DIALSTATUS}\" = \"NOANSWER\"]?closed,s,1)
exten => 601,1,Set(n=0)
 same => n,Set(members=101-102)
 same => n,While($[${INC(n)} <= ${FIELDQTY(members,-)}])
 same => n,Dial(${PHONE_${CUT(members,-,${n})}},10)
 same => n,EndWhile()
 same => n,Goto(closed,s,1)
exten => 500,1,Dial(Local/101@follow/n&Local/cell-101@follow/n,40)
exten => 700,1,GotoIfTime(*,*,*,*?open,s,1)
 same => n,Goto(closed,s,1)
exten => 701,1,GotoIfTime(0:00-23:59,*,30,feb?open,s,1)
 same => n,Goto(closed,s,1)

[follow]
exten => _X.,1,Dial(${PHONE_${EXTEN}},15)
exten => _cell-X.,1,Wait(5)
 same => n,Macro(outside,${CELL_${CUT(EXTEN,-,2)}})

[open]
exten => s,1,GotoIf(${BLACKLIST()}?closed,s,1)
 same => n,Background(menu)
 same => n,WaitExten(5)
exten => 1,1,Goto(test,600,1)
exten => 2,1,Goto(test,101,1)
exten => t,1,Goto(test,600,1)
exten => i,1,Goto(s,1)

[closed]
exten => s,1,Answer()
 same => n,Playback(closed)
 same => n,Hangup()

[macro-outside]
exten => s,1,Set(CALLERID(num)=4930123)
 same => n,Set(GROUP(out)=trunk)
 same => n,GotoIf($[${GROUP_COUNT(trunk@out)} > 2]?full)
 same => n,Dial(${TRUNK_A},60,T)
 same => n,GotoIf($[\"${DIALSTATUS}\" =~ \"^(CONGESTION|CHANUNAVAIL)$\"]?second)
 same => n,Goto(s-${DIALSTATUS},1)
 same => n(second),Dial(${TRUNK_B},60,T)
 same => n,Goto(s-${DIALSTATUS},1)
 same => n(full),Congestion(5)
exten => s-BUSY,1,Busy(5)
exten => _s-.,1,Congestion(5)
";

/// Lets time pass, and the clock that was not paused from the beginning come to a whole millisecond.
async fn wait(time: std::time::Duration) {
    pass(time).await;
    pass(millis(2)).await;
}

struct Office {
    reach: Reach,
    folder: PathBuf,
}

impl Drop for Office {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Office {
    async fn new(name: &str) -> Self {
        let name = format!("sidetone-office-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let files = [
            ("leave-message", 1100),
            ("busy-message", 1200),
            ("closed", 1300),
            ("menu", 1400),
            ("where-to", 1500),
            ("forwarded", 1600),
            ("invalid", 1700),
        ];
        std::fs::create_dir_all(&folder).unwrap();
        for (name, ms) in files {
            std::fs::write(folder.join(format!("{name}.ulaw")), vec![0xFF; ms * 8]).unwrap();
        }
        let mut config = Config::default();
        config.own.sounds = folder.display().to_string();
        let world = World::keeping(config, PLAN, &folder).await;
        // A database is opened by threads, which know no paused clock.
        tokio::time::pause();
        let reach = Reach::on(world, |_| {});
        let office = Self { reach, folder };
        office.keep("user", "alice", "101");
        office
    }

    fn keep(&self, family: &str, key: &str, value: &str) {
        let database = self.reach.world.switch.store().astdb().unwrap();
        drop(database.put(family, key, value).unwrap());
    }

    fn kept(&self, family: &str, key: &str) -> Option<String> {
        self.reach.world.switch.store().astdb()?.value(family, key)
    }

    async fn dial(&self, exten: &str) -> Call {
        self.reach.world.dial(exten).await
    }

    fn saw(&self, line: &str) -> bool {
        self.reach.world.ladder.has(line)
    }

    /// How many legs were opened.
    fn legs(&self) -> usize {
        let lines = self.reach.world.ladder.lines();
        lines
            .iter()
            .filter(|line| line.contains(": open for "))
            .count()
    }
}

#[tokio::test]
async fn a_phone_that_nobody_answers_takes_a_message() {
    let office = Office::new("message").await;
    let call = office.dial("101").await;
    assert!(office.saw("0: call audio, video"));
    wait(seconds(20)).await;
    assert!(office.saw("0: hangup 19"));
    call.sees("play 1100 ms", 1).await;
    wait(seconds(2)).await;
    call.sees("play tones", 1).await;
    wait(seconds(1)).await;
    call.sees("tap", 1).await;
    assert_eq!(
        office.reach.world.switch.global("was").as_deref(),
        Some("NOANSWER")
    );
    call.press('#').await;
    call.sees("hangup 16", 1).await;
    assert!(office.folder.join("messages/101-0.wav").exists());
    let call = office.dial("102").await;
    hangs_up(&office.reach, 1, Cause::UserBusy).await;
    call.sees("play 1200 ms", 1).await;
}

#[tokio::test]
async fn calls_are_forwarded_until_that_is_taken_back() {
    let office = Office::new("forward").await;
    let call = office.dial("*72").await;
    call.sees("play 1500 ms", 1).await;
    for digit in "102#".chars() {
        call.press(digit).await;
    }
    call.sees("play 1600 ms", 1).await;
    wait(seconds(2)).await;
    assert!(call.is_over());
    assert_eq!(office.kept("forward", "101").as_deref(), Some("102"));
    let call = office.dial("101").await;
    assert_eq!(office.legs(), 1, "that of 102 alone");
    office.reach.ring(0).await;
    assert!(call.saw("ring"));
    office.reach.answer(0).await;
    call.sees("connected", 1).await;
    hangs_up(&office.reach, 0, Cause::NormalClearing).await;
    assert!(call.is_over());
    office.dial("*73").await;
    assert_eq!(office.kept("forward", "101"), None);
    office.dial("*72102").await;
    assert_eq!(office.kept("forward", "101").as_deref(), Some("102"));
    // Two that forward to each other do not ring for ever.
    office.keep("forward", "102", "101");
    let call = office.dial("101").await;
    settle().await;
    wait(seconds(6)).await;
    call.sees("hangup 17", 1).await;
    assert_eq!(office.legs(), 1);
    office.dial("*78").await;
    let call = office.dial("101").await;
    assert!(call.is_over() && call.saw("hangup 17"));
    office.dial("*79").await;
    assert_eq!(office.kept("dnd", "101").as_deref(), Some("no"));
}

#[tokio::test]
async fn groups_ring_together_or_one_after_the_other() {
    let office = Office::new("groups").await;
    let call = office.dial("600").await;
    assert_eq!(office.legs(), 3, "{:?}", office.reach.world.ladder.lines());
    assert!(office.saw("play music default") && !call.saw("answer: audio, video"));
    office.reach.answer(2).await;
    call.sees("connected", 1).await;
    assert!(office.saw("0: hangup 26") && office.saw("1: hangup 26"));
    hangs_up(&office.reach, 2, Cause::NormalClearing).await;
    assert!(call.is_over());
    let call = office.dial("600").await;
    wait(seconds(15)).await;
    call.sees("play 1300 ms", 1).await;
    let before = office.legs();
    let call = office.dial("601").await;
    assert_eq!(office.legs(), before + 1);
    wait(seconds(10)).await;
    assert_eq!(office.legs(), before + 2);
    wait(seconds(10)).await;
    call.sees("play 1300 ms", 2).await;
}

#[tokio::test]
async fn a_call_follows_its_party_to_the_mobile_phone() {
    let office = Office::new("follow").await;
    let call = office.dial("500").await;
    assert_eq!(office.legs(), 1);
    wait(seconds(5)).await;
    assert_eq!(office.legs(), 2);
    assert!(
        office.saw("1: open for '4930123'"),
        "{:?}",
        office.reach.world.ladder.lines()
    );
    office.reach.answer(1).await;
    call.sees("connected", 1).await;
    call.sees("0: hangup 26", 1).await;
    call.leave().await;
    assert!(office.saw("1: hangup 16"));
    assert_eq!(office.reach.count(), 0);
}

#[tokio::test]
async fn calls_go_out_by_the_second_trunk_and_not_too_many() {
    let office = Office::new("trunks").await;
    let call = office.dial("00301234").await;
    assert!(office.saw("0: open for '4930123'"));
    hangs_up(&office.reach, 0, Cause::NormalCircuitCongestion).await;
    assert!(office.saw("1: open for '4930123'"));
    office.reach.answer(1).await;
    call.sees("connected", 1).await;
    let busy = office.dial("00301235").await;
    hangs_up(&office.reach, 2, Cause::UserBusy).await;
    assert!(busy.is_over() && busy.saw("hangup 17"));
    let second = office.dial("00301236").await;
    let third = office.dial("00301237").await;
    assert!(third.is_over() && third.saw("hangup 34"), "two are enough");
    assert!(!second.is_over());
}

#[tokio::test]
async fn a_menu_is_heard_while_the_office_is_open() {
    let office = Office::new("menu").await;
    let call = office.dial("700").await;
    call.sees("play 1400 ms", 1).await;
    call.press('9').await;
    call.sees("play 1400 ms", 2).await;
    call.press('2').await;
    call.sees("0: call audio, video", 1).await;
    // It was answered, so ringing is a tone.
    office.reach.ring(0).await;
    assert!(office.saw("play tones"));
    office.reach.answer(0).await;
    call.sees("connected", 1).await;
    call.leave().await;
    let call = office.dial("701").await;
    call.sees("play 1300 ms", 1).await;
    office.keep("blacklist", "alice", "1");
    let call = office.dial("700").await;
    call.sees("play 1300 ms", 2).await;
}
