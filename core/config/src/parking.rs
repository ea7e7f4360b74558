//! `res_parking.conf`: where calls are parked. Each section but `[general]` is a lot.

use crate::features::ActivatedBy;
use crate::option::{Fault, Object, Parse, Row, inert, number, row, word};
use dialplan::Plan;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// `res_parking.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parking {
    /// `[general]`.
    pub general: ParkingGeneral,
    /// The lots, by name. There is always one called `default`.
    pub lots: BTreeMap<String, ParkingLot>,
}

impl Default for Parking {
    fn default() -> Self {
        let lot = ParkingLot::named(DEFAULT_LOT);
        Self {
            general: ParkingGeneral::default(),
            lots: BTreeMap::from([(DEFAULT_LOT.to_owned(), lot)]),
        }
    }
}

/// The lot that is used where none is named.
pub const DEFAULT_LOT: &str = "default";

/// Lots there may be.
pub(crate) const LOTS_MAX: usize = 1000;

/// `[general]` of `res_parking.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParkingGeneral {
    /// Whether the dial plan makes lots.
    pub dynamic: bool,
}

/// A lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkingLot {
    /// The section's name.
    pub id: String,
    /// The dial plan's context with the extensions of the lot.
    pub context: String,
    /// The extension that parks, if there is one.
    pub extension: String,
    /// Whether that extension parks in this lot, whatever the channel says.
    pub is_exclusive: bool,
    /// The spaces, which are extensions as well.
    pub spaces: RangeInclusive<u32>,
    /// Whether the space after the last one is taken, instead of the first that is free.
    pub takes_next: bool,
    /// How long a call stays.
    pub time_s: u32,
    /// Whether the one who parked it is called then.
    pub comes_back: bool,
    /// For how long.
    pub comeback_dial_s: u32,
    /// Where the call goes on then, where the one who parked it is not called.
    pub comeback_context: String,
    /// Played when a parked call is picked up.
    pub courtesy_tone: Option<String>,
    /// To whom.
    pub played_to: Option<ActivatedBy>,
    /// Who may transfer by digits then; the caller is the one who picked up.
    pub transfers: Option<ActivatedBy>,
    /// Who may park it again.
    pub reparking: Option<ActivatedBy>,
    /// Who may hang up by digits.
    pub hangup: Option<ActivatedBy>,
    /// Who may record.
    pub recording: Option<ActivatedBy>,
    /// What is heard meanwhile.
    pub music_class: Option<String>,
    /// Whether there are hints of the spaces.
    pub hints: bool,
}

impl Object for ParkingGeneral {
    const KIND: &'static str = "res_parking.conf";
    const OPTIONS: &'static [Row<Self>] = &[inert(
        "parkeddynamic",
        "no",
        Parse::YesNo(|g| &mut g.dynamic),
        "Whether the dial plan makes lots.",
        "lots are made by this file alone",
    )];

    fn named(_: &str) -> Self {
        Self::default()
    }
}

impl Object for ParkingLot {
    const KIND: &'static str = "parking_lot";
    const OPTIONS: &'static [Row<Self>] = LOT;

    fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            context: "parkedcalls".to_owned(),
            extension: String::new(),
            is_exclusive: false,
            spaces: 701..=750,
            takes_next: false,
            time_s: 45,
            comes_back: true,
            comeback_dial_s: 30,
            comeback_context: "parkedcallstimeout".to_owned(),
            courtesy_tone: None,
            played_to: Some(ActivatedBy::Caller),
            transfers: None,
            reparking: None,
            hangup: None,
            recording: None,
            music_class: None,
            hints: false,
        }
    }
}

const LOT: &[Row<ParkingLot>] = &[
    row(
        "comebackcontext",
        "parkedcallstimeout",
        Parse::Text(|l| &mut l.comeback_context),
        "The context in which a call goes on when its time is over and `comebacktoorigin` is no: at the extension \
         named after the channel that parked it (`PJSIP_alice`), or else at `s`.",
    ),
    row(
        "comebackdialtime",
        "30",
        Parse::Number(|l| &mut l.comeback_dial_s, 1, SECONDS_MAX),
        "Seconds that who parked it rings when its time is over.",
    ),
    row(
        "comebacktoorigin",
        "yes",
        Parse::YesNo(|l| &mut l.comes_back),
        "Calls who parked it when its time is over.",
    ),
    row(
        "context",
        "parkedcalls",
        Parse::Text(|l| &mut l.context),
        "The context that gets the extensions of the lot; include it where they are to be dialled.",
    ),
    row(
        "courtesytone",
        "",
        Parse::Optional(|l| &mut l.courtesy_tone),
        "Played when a parked call is picked up.",
    ),
    row(
        "findslot",
        "first",
        Parse::Own(|l, v| {
            l.takes_next = word(v, &["first", "next"])? == 1;
            Ok(())
        }),
        "Takes the first free space, or the next one after the last that was taken.",
    ),
    row(
        "parkedcallhangup",
        "no",
        Parse::Own(|l, v| who(&mut l.hangup, v)),
        "Who may hang up a parked call that was picked up by digits: `caller` picked it up, `callee` was parked, \
         `both`, `no`.",
    ),
    row(
        "parkedcallrecording",
        "no",
        Parse::Own(|l, v| who(&mut l.recording, v)),
        "Who may record it by digits.",
    ),
    row(
        "parkedcallreparking",
        "no",
        Parse::Own(|l, v| who(&mut l.reparking, v)),
        "Who may park it again by digits.",
    ),
    row(
        "parkedcalltransfers",
        "no",
        Parse::Own(|l, v| who(&mut l.transfers, v)),
        "Who may transfer it by digits.",
    ),
    row(
        "parkedmusicclass",
        "",
        Parse::Optional(|l| &mut l.music_class),
        "The music that is heard meanwhile.",
    ),
    row(
        "parkedplay",
        "caller",
        Parse::Own(|l, v| who(&mut l.played_to, v)),
        "Who hears the courtesy tone.",
    ),
    row(
        "parkext",
        "",
        Parse::Text(|l| &mut l.extension),
        "The extension that parks.",
    ),
    row(
        "parkext_exclusive",
        "no",
        Parse::YesNo(|l| &mut l.is_exclusive),
        "Lets that extension park in this lot, whatever `PARKINGLOT` says.",
    ),
    inert(
        "parkinghints",
        "no",
        Parse::YesNo(|l| &mut l.hints),
        "Makes hints of the spaces.",
        "spaces have no hints",
    ),
    row(
        "parkingtime",
        "45",
        Parse::Number(|l| &mut l.time_s, 1, SECONDS_MAX),
        "Seconds a call stays.",
    ),
    row(
        "parkpos",
        "701-750",
        Parse::Own(spaces),
        "The spaces; each is an extension that picks up what is parked there.",
    ),
];

/// A day.
const SECONDS_MAX: u32 = 24 * 3600;
/// Spaces of one lot.
const SPACES_MAX: u32 = 1000;
/// How devices that are parking spaces begin.
const PARK: &str = "park:";

/// The highest number of a space.
const SPACE_MAX: u32 = 999_999_999;

fn who(to: &mut Option<ActivatedBy>, value: &str) -> Result<(), Fault> {
    *to = match word(value, &["no", "caller", "callee", "both"])? {
        0 => None,
        1 => Some(ActivatedBy::Caller),
        2 => Some(ActivatedBy::Callee),
        _ => Some(ActivatedBy::Both),
    };
    Ok(())
}

fn spaces(lot: &mut ParkingLot, value: &str) -> Result<(), Fault> {
    let (first, last) = value.split_once('-').unwrap_or((value, value));
    let first: u32 = number(first.trim(), 1, SPACE_MAX.into())?;
    if last.trim().parse().is_ok_and(|last: u32| last < first) {
        return Err(Fault::Backwards);
    }
    let most = first.saturating_add(SPACES_MAX - 1);
    let last = number(last.trim(), first.into(), most.into())?;
    lot.spaces = first..=last;
    Ok(())
}

impl Parking {
    /// The lot and the space of a device `park:701@parkedcalls`; no lot if none has this space. `None`: it is
    /// another kind of device.
    pub fn space_of(&self, device: &str) -> Option<(Option<String>, u32)> {
        let begins = device.get(..PARK.len())?.eq_ignore_ascii_case(PARK);
        let place = device.get(PARK.len()..).filter(|_| begins)?;
        let (space, context) = place.split_once('@').unwrap_or((place, "parkedcalls"));
        let space = space.trim().parse().unwrap_or(0);
        let mut lots = self.lots.values();
        let lot = lots.find(|lot| lot.context == context.trim() && lot.spaces.contains(&space));
        Some((lot.map(|lot| lot.id.clone()), space))
    }

    /// The contexts of the lots.
    pub(crate) fn contexts(&self) -> Vec<&str> {
        self.lots.values().map(|lot| lot.context.as_str()).collect()
    }

    /// Adds the extensions of the lots to the plan; those that are there already stay as they are.
    pub(crate) fn extend(&self, plan: &mut Plan) {
        let mut texts: BTreeMap<&str, String> = BTreeMap::new();
        for lot in self.lots.values() {
            let id = &lot.id;
            let text = texts.entry(&lot.context).or_default();
            let mut add = |extension: &str, application: &str| {
                *text += &format!("exten => {extension},1,{application}\n");
            };
            if !lot.extension.is_empty() {
                match lot.is_exclusive {
                    true => add(&lot.extension, &format!("Park({id})")),
                    false => add(&lot.extension, "Park()"),
                }
            }
            for space in lot.spaces.clone() {
                add(&space.to_string(), &format!("ParkedCall({id},{space})"));
            }
        }
        for (context, text) in texts {
            plan.add_all("res_parking.conf", &format!("[{context}]\n{text}"));
        }
    }
}
