//! `Park`, `ParkAndAnnounce` and `ParkedCall`.

use std::time::Duration;

use switch::bridge::{self, Parted, Rules};
use switch::{
    ActivatedBy, AppResult, Application, Args, Cause, Channel, DEFAULT_LOT, Grants, Instead,
    Interrupt, Keys, ORIGINATE_TIMEOUT, Originate, ParkingLot, Purpose, Ticket, Wish,
};

use crate::arguments::{position, warn};

/// Parks the call.
pub(crate) static PARK: Application = Application {
    name: "Park",
    synopsis: "Park the call",
    doc: include_str!("park.md"),
    run: |call, args| Box::pin(park(call, args)),
};

/// Picks a parked call up.
pub(crate) static PARKED_CALL: Application = Application {
    name: "ParkedCall",
    synopsis: "Pick up a parked call",
    doc: include_str!("parked_call.md"),
    run: |call, args| Box::pin(pick_up(call, args)),
};

/// Parks the call and has it announced.
pub(crate) static PARK_AND_ANNOUNCE: Application = Application {
    name: "ParkAndAnnounce",
    synopsis: "Park the call, and call somebody to announce it",
    doc: include_str!("park_and_announce.md"),
    run: |call, args| Box::pin(park_and_announce(call, args)),
};

async fn park(call: &mut Channel, args: Args<'_>) -> AppResult {
    match space_for(call, &args, "Park").await? {
        Some(ticket) => Err(Interrupt::Park(ticket)),
        None => Ok(()),
    }
}

async fn park_and_announce(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some(ticket) = space_for(call, &args, "ParkAndAnnounce").await? else {
        return Ok(());
    };
    if let (Some(files), Some(destination)) = (args.at(2), args.at(3)) {
        let announced = Originate {
            destination: destination.to_owned(),
            purpose: Purpose::Application {
                name: "Playback".to_owned(),
                arguments: announcement(files, ticket.space()),
            },
            timeout: ORIGINATE_TIMEOUT,
            caller: call.caller.clone(),
            variables: call.vars.inherited(),
            before: None,
        };
        let switch = call.switch().clone();
        if let Err(why) = call.during(switch.originate(announced)).await? {
            warn(
                call,
                "ParkAndAnnounce",
                &args,
                format!("not announced: {why}"),
            );
        }
    }
    Err(Interrupt::Park(ticket))
}

/// The files of an announcement, as `Playback` has them; `PARKED` is the number of the space.
fn announcement(files: &str, space: u32) -> String {
    let files = files.split(':').flat_map(|file| match file.trim() {
        "PARKED" => {
            let digits = space.to_string();
            digits
                .chars()
                .map(|digit| format!("digits/{digit}"))
                .collect()
        }
        file => vec![file.to_owned()],
    });
    files.collect::<Vec<_>>().join("&")
}

/// Answers the call and reserves a space for it, whose number it hears. `None`: there is none.
async fn space_for(call: &mut Channel, args: &Args<'_>, name: &str) -> AppResult<Option<Ticket>> {
    let mut wish = Wish {
        lot: args.at(0).map(str::to_owned),
        space: call
            .vars
            .value("PARKINGEXTEN")
            .and_then(|it| it.parse().ok()),
        ..Wish::default()
    };
    let is_silent = options(call, args, &mut wish, name);
    if !call.is_up() {
        call.answer().await?;
    }
    let by = ["ATTENDEDTRANSFER", "BLINDTRANSFER"]
        .iter()
        .find_map(|name| call.vars.value(name).filter(|by| !by.is_empty()));
    let by = by.unwrap_or_else(|| call.name()).to_owned();
    let is_transferred = by != call.name();
    let ticket = match call.switch().reserve(call, &by, wish) {
        Ok(ticket) => ticket,
        Err(why) => {
            warn(call, name, args, why);
            let failed = "pbx-parkingfailed";
            call.prompt(failed, Instead::Refusal, |_| false).await?;
            return Ok(None);
        }
    };
    // Whoever sent the call here does not hear it any more.
    if !is_silent && !is_transferred {
        call.say_digits(&ticket.space().to_string()).await?;
    }
    Ok(Some(ticket))
}

/// Reads the options; whether the number of the space is not to be heard.
fn options(call: &mut Channel, args: &Args<'_>, wish: &mut Wish, name: &str) -> bool {
    let mut is_silent = false;
    let mut rest = args.at(1).unwrap_or_default();
    while let Some(option) = rest.chars().next() {
        rest = &rest[option.len_utf8()..];
        let mut value = "";
        if let Some((inside, after)) = rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
            (value, rest) = (inside.trim(), after);
        }
        match option {
            'r' => wish.rings = true,
            'R' => wish.random = true,
            's' => is_silent = true,
            't' => match value.parse() {
                Ok(0) => wish.time = Some(Duration::MAX),
                Ok(seconds) => wish.time = Some(Duration::from_secs(seconds)),
                Err(_) => warn(call, name, args, "option t needs a number of seconds"),
            },
            'c' => match position(call, value, if value.contains('^') { '^' } else { ',' }) {
                Ok(then) => wish.then = Some(then),
                Err(why) => warn(call, name, args, why),
            },
            other => {
                let what = format!("option `{other}` has no effect; there are r, R, s, t and c");
                warn(call, name, args, what);
            }
        }
    }
    is_silent
}

async fn pick_up(call: &mut Channel, args: Args<'_>) -> AppResult {
    let config = call.switch().config();
    let own = call.vars.value("PARKINGLOT");
    let name = args.at(0).or(own).unwrap_or(DEFAULT_LOT).to_owned();
    let space = args.at(1).map(str::parse);
    if !call.is_up() {
        call.answer().await?;
    }
    let lot = config.parking.lots.get(&name);
    let switch = call.switch().clone();
    let parked = match (lot, space) {
        (Some(_), None) => call.during(switch.pick_up(&name, None)).await?,
        (Some(_), Some(Ok(space))) => call.during(switch.pick_up(&name, Some(space))).await?,
        (None, _) | (_, Some(Err(_))) => None,
    };
    let (Some(lot), Some(parked)) = (lot, parked) else {
        warn(call, "ParkedCall", &args, "no call is parked there");
        call.prompt("pbx-invalidpark", Instead::Refusal, |_| false)
            .await?;
        return Err(call.hangup(Cause::NormalClearing));
    };
    talk(call, *parked, lot).await
}

async fn talk(call: &mut Channel, mut parked: Channel, lot: &ParkingLot) -> AppResult {
    if let Some(tone) = lot.courtesy_tone.as_deref() {
        let is_for = |who| lot.played_to == Some(ActivatedBy::Both) || lot.played_to == Some(who);
        if is_for(ActivatedBy::Caller) {
            call.prompt(tone, Instead::Beep, |_| false).await?;
        }
        if is_for(ActivatedBy::Callee) {
            // One that has left is noticed by the conversation.
            let played = parked.prompt(tone, Instead::Beep, |_| false);
            let _ = call.during(played).await?;
        }
    }
    let rules = rules(call, &parked, lot);
    let parted = bridge::run(call, &mut parked, &rules).await;
    let (cause, result) = match parted {
        Parted::Caller(interrupt) => {
            let cause = interrupt.cause();
            (cause, Err(interrupt))
        }
        Parted::Callee(interrupt) => {
            let cause = interrupt.cause();
            bridge::send_on(parked, interrupt);
            return Err(call.hangup(cause));
        }
        Parted::Disconnected | Parted::Limit => {
            let cause = Cause::NormalClearing;
            (cause, Err(call.hangup(cause)))
        }
    };
    parked.hangup(cause);
    parked.release().await;
    result
}

/// What the two may do by digits.
fn rules(call: &Channel, parked: &Channel, lot: &ParkingLot) -> Rules {
    let grants = |who: ActivatedBy| {
        let is_for =
            |option: Option<ActivatedBy>| option == Some(who) || option == Some(ActivatedBy::Both);
        Grants {
            disconnect: is_for(lot.hangup),
            transfer: is_for(lot.transfers),
            park: is_for(lot.reparking),
            mix_monitor: is_for(lot.recording),
            ..Grants::default()
        }
    };
    let keys = |channel: &Channel, who| {
        let dynamic = channel.vars.value("DYNAMIC_FEATURES").unwrap_or_default();
        Keys::new(&channel.features(), grants(who), dynamic, who)
    };
    Rules {
        limit: None,
        caller: keys(call, ActivatedBy::Caller),
        callee: keys(parked, ActivatedBy::Callee),
    }
}
