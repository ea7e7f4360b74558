//! `parking show`.

use std::fmt::Write as _;

use config::ParkingLot;
use switch::Parked;

use crate::command::{Command, Outcome, Slot, Takes};
use crate::exchange::Exchange;

pub(crate) static SHOW: Command = Command {
    path: "parking show",
    takes: Takes::Form(&[Slot::Optional, Slot::Any("lot")]),
    synopsis: "Show a parking lot or a list of all parking lots",
    doc: "Lists the parking lots of res_parking.conf; with a name, what one is told and the calls\n\
          that are parked there.",
    run: |exchange, words| Box::pin(async { show(exchange, words.first()) }),
};

fn show(exchange: &Exchange, name: Option<&String>) -> Outcome {
    let config = exchange.parts.switch.config();
    let lots = &config.parking.lots;
    let Some(name) = name else {
        let mut text = String::new();
        for lot in lots.values() {
            let _ = writeln!(text, "{:<28}{}", "Lot Name", lot.id);
        }
        return Outcome::Done(text);
    };
    match lots.get(name) {
        Some(lot) => Outcome::Done(one(lot, &exchange.parts.switch.parkings().all())),
        None => Outcome::Failed(format!("Could not find parking lot '{name}'\n")),
    }
}

/// As Asterisk shows it.
fn one(lot: &ParkingLot, parked: &[Parked]) -> String {
    let unused = match lot.comes_back {
        true => " (comebacktoorigin=yes, not used)",
        false => "",
    };
    let yes_no = |it: bool| if it { "yes" } else { "no" };
    let lines = [
        ("Parking Extension", lot.extension.clone()),
        ("Parking Context", lot.context.clone()),
        (
            "Parking Spaces",
            format!("{}-{}", lot.spaces.start(), lot.spaces.end()),
        ),
        ("Parking Time", format!("{} sec", lot.time_s)),
        ("Comeback to Origin", yes_no(lot.comes_back).to_owned()),
        (
            "Comeback Context",
            format!("{}{unused}", lot.comeback_context),
        ),
        ("Comeback Dial Time", format!("{} sec", lot.comeback_dial_s)),
        (
            "MusicOnHold Class",
            lot.music_class.clone().unwrap_or_default(),
        ),
        ("Enabled", "yes".to_owned()),
        ("Dynamic", "no".to_owned()),
    ];
    let mut text = format!("Parking Lot: {}\n{}\n", lot.id, "-".repeat(80));
    for (name, value) in lines {
        let _ = writeln!(text, "{}", format!("{name:<20}:  {value}").trim_end());
    }
    text += "\nParked Calls\n------------\n";
    let mut there = parked.iter().filter(|call| call.lot == lot.id).peekable();
    if there.peek().is_none() {
        text += "  (none)\n";
    }
    for call in there {
        let lines = [
            ("Space", call.space.to_string()),
            ("Channel", call.channel.clone()),
            ("Parker Dial String", call.parker.clone()),
        ];
        for (name, value) in lines {
            let _ = writeln!(text, "  {name:<20}:  {value}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use config::Parking;
    use switch::Parked;

    #[test]
    fn a_lot_is_shown_with_the_calls_parked_there() {
        let parking = Parking::default();
        let lot = &parking.lots["default"];
        assert!(super::one(lot, &[]).ends_with("------------\n  (none)\n"));
        let parked = |lot: &str, space| Parked {
            lot: lot.to_owned(),
            space,
            channel: "PJSIP/bob-00000001".to_owned(),
            parker: "PJSIP/alice".to_owned(),
        };
        let text = super::one(lot, &[parked("default", 702), parked("other", 50)]);
        assert!(text.contains("Parking Spaces      :  701-750\n"), "{text}");
        assert!(text.contains("  Space               :  702\n"), "{text}");
        assert!(text.contains("  Parker Dial String  :  PJSIP/alice\n"));
        assert!(!text.contains("50\n\n"), "{text}");
    }
}
