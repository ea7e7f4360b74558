//! Digits of a conversation: in whatever form they come, the other party gets each once, in its own form,
//! and none of those that were for the exchange.

use std::time::Duration;

use config::DtmfMode;
use media::{Digit, DigitEvent, DigitForm, LegEvent};
use switch::ChannelEvent;

use crate::reach::Reach;
use crate::world::{Call, millis, pass, sdp};

const PLAN: &str = "exten => 100,1,Dial(TEST/1)\n";

async fn connected(mode: DtmfMode) -> (Reach, Call) {
    let reach = Reach::with(PLAN, |endpoint| endpoint.dtmf_mode = mode).await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    assert!(call.saw("connected"), "{:?}", reach.world.ladder.lines());
    (reach, call)
}

/// What was sent of digits.
fn sent(reach: &Reach) -> Vec<String> {
    let lines = reach.world.ladder.lines();
    lines
        .into_iter()
        .filter(|line| line.contains("digit"))
        .collect()
}

fn whole(digit: char, ms: u64) -> ChannelEvent {
    let duration = Duration::from_millis(ms);
    ChannelEvent::Digit(DigitEvent::Ended(Digit { digit, duration }))
}

#[tokio::test(start_paused = true)]
async fn a_digit_goes_on_in_the_form_of_the_other_party_and_as_long_as_it_was() {
    let in_media = ["digit 5 begins", "digit 5 of 320 ms"];
    let at_once = ["digit 5 of 320 ms"];
    let info = ["0: INFO digit 5 of 320 ms"];
    let cases: &[(DtmfMode, &[&str], &[&str])] = &[
        (DtmfMode::Rfc4733, &in_media, &at_once),
        (DtmfMode::Inband, &in_media, &at_once),
        (DtmfMode::Auto, &in_media, &at_once),
        // The parties of this test take no telephone events.
        (DtmfMode::AutoInfo, &info, &info),
        (DtmfMode::Info, &info, &info),
        (DtmfMode::None, &[], &[]),
    ];
    for (mode, live, told_whole) in cases {
        for form in ["events", "tones", "INFO"] {
            let (reach, call) = connected(*mode).await;
            match form {
                "events" => call.events('5', millis(320)).await,
                "tones" => call.tones('5', millis(320)).await,
                _ => call.send(whole('5', 320)).await,
            }
            let expected = if form == "INFO" { told_whole } else { live };
            assert_eq!(sent(&reach), **expected, "{form} to {mode:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tones_are_listened_for_where_the_far_end_sends_its_digits_as_such() {
    for (mode, listens) in [
        (DtmfMode::Rfc4733, false),
        (DtmfMode::Inband, true),
        (DtmfMode::Auto, true),
        (DtmfMode::AutoInfo, false),
        (DtmfMode::Info, false),
        (DtmfMode::None, false),
    ] {
        let (_reach, call) = connected(mode).await;
        assert_eq!(call.saw("listens for tones"), listens, "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_sends_a_digit_twice_pressed_it_once() {
    let (reach, call) = connected(DtmfMode::Rfc4733).await;
    for digit in "5567".chars() {
        let event = DigitEvent::Began(digit);
        let form = DigitForm::Event;
        call.send(LegEvent::Digit { form, event }).await;
        pass(millis(30)).await;
        let form = DigitForm::Tone;
        call.send(LegEvent::Digit { form, event }).await;
        pass(millis(50)).await;
        let duration = millis(80);
        let event = DigitEvent::Ended(Digit { digit, duration });
        for form in [DigitForm::Event, DigitForm::Tone] {
            call.send(LegEvent::Digit { form, event }).await;
        }
        call.send(whole(digit, 80)).await;
        pass(millis(60)).await;
    }
    let ends = sent(&reach);
    let ends: Vec<_> = ends.iter().filter(|line| line.contains(" of ")).collect();
    let expected = ["5", "5", "6", "7"].map(|digit| format!("digit {digit} of 80 ms"));
    assert_eq!(ends, expected.iter().collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn the_called_party_dials_too() {
    let (reach, _call) = connected(DtmfMode::Info).await;
    reach.send(0, whole('#', 90)).await;
    assert_eq!(sent(&reach), ["INFO digit # of 90 ms"]);
}

#[tokio::test(start_paused = true)]
async fn digits_that_come_back_from_signalling_are_sent_by_media_in_their_order() {
    let (reach, call) = connected(DtmfMode::Info).await;
    call.send(whole('1', 90)).await;
    let refused = [('1', 90), ('2', 110)].map(|(digit, ms)| Digit {
        digit,
        duration: millis(ms),
    });
    reach
        .send(0, ChannelEvent::DigitsRefused(refused.to_vec()))
        .await;
    assert_eq!(
        sent(&reach),
        [
            "0: INFO digit 1 of 90 ms",
            "digit 1 of 90 ms",
            "digit 2 of 110 ms"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_may_be_a_code_is_held_back_and_let_go_as_long_as_it_was() {
    let plan = "exten => 100,1,Dial(TEST/1,,H)\n";
    let reach = Reach::featured(plan, "[featuremap]\ndisconnect => *0\n").await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    call.events('1', millis(70)).await;
    assert_eq!(sent(&reach), ["digit 1 begins", "digit 1 of 70 ms"]);
    call.events('*', millis(120)).await;
    assert_eq!(sent(&reach).len(), 2, "it may be the code");
    call.events('5', millis(90)).await;
    assert_eq!(
        sent(&reach)[2..],
        ["digit * of 120 ms", "digit 5 of 90 ms"],
        "it was not"
    );
    // A pause says so too.
    call.events('*', millis(130)).await;
    pass(millis(1100)).await;
    assert_eq!(sent(&reach)[4..], ["digit * of 130 ms"]);
    call.events('*', millis(100)).await;
    call.events('0', millis(100)).await;
    assert!(call.is_over());
    assert_eq!(sent(&reach).len(), 5, "the code is for nobody else");
}

#[tokio::test(start_paused = true)]
async fn what_was_dialled_in_a_menu_is_not_sent_to_who_is_called_after_it() {
    let reach = Reach::new("exten => 100,1,Read(PIN,,4)\n same => n,Dial(TEST/1)\n").await;
    let call = reach.world.dial("100").await;
    for digit in "1234".chars() {
        call.events(digit, millis(100)).await;
    }
    let (status, answer) = (183, Some(sdp(&["audio", "video"])));
    reach
        .send(0, ChannelEvent::Progress { status, answer })
        .await;
    call.events('7', millis(100)).await;
    assert_eq!(sent(&reach), ["digit 7 begins", "digit 7 of 100 ms"]);
}

#[tokio::test(start_paused = true)]
async fn digits_go_to_a_leg_that_is_heard_before_it_answers() {
    let reach = Reach::new(PLAN).await;
    let call = reach.world.dial("100").await;
    let (status, answer) = (183, Some(sdp(&["audio", "video"])));
    reach
        .send(0, ChannelEvent::Progress { status, answer })
        .await;
    assert!(call.saw("connected"));
    call.events('3', millis(100)).await;
    assert_eq!(sent(&reach), ["digit 3 begins", "digit 3 of 100 ms"]);
    // It is pressed when the call is answered, and let go after that.
    let form = DigitForm::Event;
    let event = DigitEvent::Began('4');
    call.send(LegEvent::Digit { form, event }).await;
    reach.answer(0).await;
    let duration = millis(300);
    let event = DigitEvent::Ended(Digit {
        digit: '4',
        duration,
    });
    call.send(LegEvent::Digit { form, event }).await;
    assert_eq!(sent(&reach)[2..], ["digit 4 begins", "digit 4 of 300 ms"]);
}

#[tokio::test(start_paused = true)]
async fn a_digit_that_is_pressed_when_the_two_part_ends() {
    let plan = "exten => 100,1,Dial(TEST/1,,S(2))\n";
    let reach = Reach::new(plan).await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    let form = DigitForm::Event;
    let event = DigitEvent::Began('4');
    call.send(LegEvent::Digit { form, event }).await;
    pass(millis(2000)).await;
    assert!(call.is_over());
    assert_eq!(sent(&reach), ["digit 4 begins", "digit 4 of 100 ms"]);
}

/// Time passes in small steps, so that each timer has its moment.
async fn run(ms: u64) {
    for _ in 0..ms / 10 {
        pass(millis(10)).await;
    }
}

/// What was sent of digits, and when.
fn timed(reach: &Reach, wanted: &str) -> Vec<(u128, String)> {
    let lines = reach.world.ladder.timed().into_iter();
    lines.filter(|(_, line)| line.contains(wanted)).collect()
}

#[tokio::test(start_paused = true)]
async fn send_dtmf_sends_each_digit_in_its_time() {
    let plan = "exten => 1,1,Answer()\nsame => n,SendDTMF(1w2W#x,200,80)\nsame => n,Hangup()\n";
    let reach = Reach::new(plan).await;
    let call = reach.world.dial("1").await;
    run(5000).await;
    assert!(call.is_over());
    let sent = timed(&reach, "digit");
    let start = sent[0].0;
    let sent: Vec<_> = sent
        .iter()
        .map(|(at, line)| (at - start, line.as_str()))
        .collect();
    let expected = [
        (0, "digit 1 of 80 ms"),
        (780, "digit 2 of 80 ms"),
        (2060, "digit # of 80 ms"),
    ];
    assert_eq!(sent, expected);
    let end = timed(&reach, "hangup")[0].0 - start;
    assert_eq!(end, 2340, "it returns after the last pause");
}

#[tokio::test(start_paused = true)]
async fn send_dtmf_has_usual_lengths_and_reaches_other_channels() {
    let plan = "exten => 1,1,Answer()\nsame => n,Wait(60)\n\
                exten => 2,1,Answer()\nsame => n,SendDTMF(5,,,PJSIP/alice-00000001)\n\
                same => n,SendDTMF(6)\nsame => n,SendDTMF(7,,,PJSIP/nobody-1)\nsame => n,SendDTMF()\n\
                same => n,Wait(1)\n";
    let reach = Reach::with(plan, |endpoint| endpoint.dtmf_mode = DtmfMode::Info).await;
    let first = reach.world.dial("1").await;
    let second = reach.world.dial("2").await;
    run(3000).await;
    assert!(!first.is_over() && second.is_over());
    let sent = timed(&reach, "digit");
    assert_eq!(sent.len(), 2);
    assert!(sent[0].1.contains("digit 5 of 100 ms"));
    assert!(sent[1].1.contains("digit 6 of 100 ms"));
    assert_eq!(sent[1].0 - sent[0].0, 350);
}

#[tokio::test(start_paused = true)]
async fn dial_sends_digits_to_both_before_they_talk() {
    let plan = "exten => 100,1,Dial(TEST/1,,D(w12:9))\n";
    let reach = Reach::with(plan, |endpoint| endpoint.dtmf_mode = DtmfMode::Info).await;
    let call = reach.world.dial("100").await;
    reach.answer(0).await;
    run(3000).await;
    assert!(!call.is_over());
    let sent = timed(&reach, "");
    let lines: Vec<_> = sent.iter().map(|(_, line)| line.as_str()).collect();
    let at = |wanted: &str| {
        let found = lines.iter().position(|line| *line == wanted);
        found.unwrap_or_else(|| panic!("no '{wanted}' in {lines:?}"))
    };
    let order = [
        at("0: INFO digit 1 of 100 ms"),
        at("0: INFO digit 2 of 100 ms"),
        at("answer: audio, video"),
        at("INFO digit 9 of 100 ms"),
        at("connected"),
    ];
    assert!(order.is_sorted(), "{lines:?}");
    let (one, two) = (sent[order[0]].0, sent[order[1]].0);
    assert_eq!(two - one, 350);
}

#[tokio::test(start_paused = true)]
async fn dial_sends_digits_to_who_is_heard_before_it_answers() {
    let plan = "exten => 100,1,Dial(TEST/1,,D(::5w6))\n";
    let reach = Reach::with(plan, |endpoint| endpoint.dtmf_mode = DtmfMode::Info).await;
    let call = reach.world.dial("100").await;
    let answer = Some(sdp(&["audio", "video"]));
    let (status, again) = (183, answer.clone());
    reach
        .send(0, ChannelEvent::Progress { status, answer })
        .await;
    let answer = again;
    reach
        .send(0, ChannelEvent::Progress { status, answer })
        .await;
    assert!(call.saw("connected"));
    run(2000).await;
    let sent = timed(&reach, "digit");
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert_eq!(sent[1].0 - sent[0].0, 850);
    reach.answer(0).await;
    run(500).await;
    assert_eq!(timed(&reach, "digit").len(), 2);
}

/// Presses keys in one of the forms a phone may have.
async fn press(call: &Call, form: &str, digits: &str) {
    for digit in digits.chars() {
        match form {
            "events" => call.events(digit, millis(80)).await,
            "tones" => call.tones(digit, millis(80)).await,
            _ => call.send(whole(digit, 80)).await,
        }
        run(100).await;
    }
}

const FORMS: [&str; 3] = ["events", "tones", "INFO"];

#[tokio::test(start_paused = true)]
async fn applications_hear_digits_in_every_form() {
    let plan = "exten => 1,1,Answer()\nsame => n,Read(got,,3)\nsame => n,Set(GLOBAL(got)=${got})\n\
                exten => 2,1,Answer()\nsame => n,WaitExten(5)\n\
                exten => 3,1,Answer()\nsame => n,Playtones(dial)\nsame => n,Background(none)\n\
                same => n,WaitExten(5)\n\
                exten => 77,1,Set(GLOBAL(got)=${EXTEN})\n";
    for form in FORMS {
        for (exten, digits, got) in [("1", "122", "122"), ("2", "77", "77"), ("3", "77", "77")] {
            let reach = Reach::new(plan).await;
            let call = reach.world.dial(exten).await;
            run(100).await;
            press(&call, form, digits).await;
            run(6000).await;
            let global = reach.world.switch.global("got");
            assert_eq!(global.as_deref(), Some(got), "{form} {exten}");
        }
        let reach = Reach::featured(
            "exten => 100,1,Dial(TEST/1,,H)\n",
            "[featuremap]\ndisconnect => *0\n",
        )
        .await;
        let call = reach.world.dial("100").await;
        reach.answer(0).await;
        press(&call, form, "*0").await;
        assert!(call.is_over(), "{form}");
        assert_eq!(sent(&reach), Vec::<String>::new(), "{form}");
    }
}

#[tokio::test(start_paused = true)]
async fn digits_go_through_local_channels_once_with_their_length() {
    let plan = "exten => 100,1,Dial(Local/200@test)\nexten => 200,1,Dial(TEST/1)\n\
                exten => 300,1,Dial(Local/400@test)\nexten => 400,1,Answer()\n\
                same => n,Read(got,,2)\nsame => n,Set(GLOBAL(got)=${got})\n";
    for form in FORMS {
        let reach = Reach::new(plan).await;
        let call = reach.world.dial("100").await;
        reach.answer(0).await;
        run(100).await;
        press(&call, form, "5").await;
        run(500).await;
        let ends = sent(&reach);
        let ends: Vec<_> = ends.iter().filter(|line| line.contains(" of ")).collect();
        assert_eq!(ends, ["digit 5 of 80 ms"], "{form}");
        reach.send(0, whole('6', 90)).await;
        run(500).await;
        assert_eq!(sent(&reach).last().unwrap(), "digit 6 of 90 ms", "and back");
        let call = reach.world.dial("300").await;
        run(100).await;
        press(&call, form, "44").await;
        run(500).await;
        let global = reach.world.switch.global("got");
        assert_eq!(global.as_deref(), Some("44"), "{form} into the dial plan");
    }
}
