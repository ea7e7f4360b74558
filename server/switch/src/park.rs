//! Parked calls: a channel waits in a space of a lot, in a task of its own, until somebody picks it up.
//!
//! A space is reserved before the channel comes, so that who parks it can be told the number; the reservation
//! ([`Ticket`]) travels with the channel and frees the space when it is dropped. Who picks the call up takes the
//! place's end of a queue of one, asks, and is handed the channel by value.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::{DEFAULT_LOT, ParkingLot};
use dialplan::Position;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::cause::Cause;
use crate::channel::{Channel, Instead};
use crate::dial::until;
use crate::event::{AppResult, Interrupt};
use crate::pbx::Work;
use crate::story::StoryEvent;
use crate::switch::Switch;

/// All calls that are parked.
#[derive(Default)]
pub struct Parkings {
    /// By lot and space.
    spaces: Mutex<BTreeMap<(String, u32), Space>>,
    /// The space of each lot that was taken last.
    last: Mutex<BTreeMap<String, u32>>,
}

struct Space {
    parked: Parked,
    /// How the channel is asked for, once it is there.
    asked: Option<Asked>,
}

/// Hands the channel to who asks.
type Asked = oneshot::Sender<oneshot::Sender<Box<Channel>>>;

/// A call that is parked, as the console shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The lot.
    pub lot: String,
    /// The space.
    pub space: u32,
    /// The channel.
    pub channel: String,
    /// How to reach who parked it: `PJSIP/alice`.
    pub parker: String,
}

/// How a call is to be parked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The lot; that of the channel, or the default one, if `None`.
    pub lot: Option<String>,
    /// The space the search begins at.
    pub space: Option<u32>,
    /// Any free space instead of the first.
    pub random: bool,
    /// How long it stays, if not as the lot says; [`Duration::MAX`]: for ever.
    pub time: Option<Duration>,
    /// Where it goes on when that is over, if not as the lot says.
    pub then: Option<Position>,
    /// It hears ringing instead of music.
    pub rings: bool,
}

/// Why a call cannot be parked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotParked {
    /// No such lot.
    #[error("there is no parking lot '{0}' in res_parking.conf")]
    NoLot(String),
    /// All spaces are taken.
    #[error("no space is free in parking lot '{0}'")]
    Full(String),
}

/// A space that is reserved for a channel.
#[derive(Clone)]
pub struct Ticket(Arc<Reservation>);

struct Reservation {
    switch: Switch,
    lot: ParkingLot,
    space: u32,
    parker: String,
    wish: Wish,
}

impl Ticket {
    /// The number of the space.
    pub fn space(&self) -> u32 {
        self.0.space
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({} {})", self.0.lot.id, self.0.space)
    }
}

impl PartialEq for Ticket {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Ticket {}

impl Drop for Reservation {
    fn drop(&mut self) {
        let key = (self.lot.id.clone(), self.space);
        self.switch.parkings().spaces().remove(&key);
        self.switch.directory().changed();
    }
}

impl Parkings {
    fn spaces(&self) -> MutexGuard<'_, BTreeMap<(String, u32), Space>> {
        self.spaces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calls that are parked, by lot and space.
    pub fn all(&self) -> Vec<Parked> {
        let spaces = self.spaces();
        let there = spaces.values().filter(|space| space.asked.is_some());
        there.map(|space| space.parked.clone()).collect()
    }

    /// Whether somebody is parked in this space.
    pub(crate) fn is_taken(&self, lot: &str, space: u32) -> bool {
        let spaces = self.spaces();
        let own = spaces.get(&(lot.to_owned(), space));
        own.is_some_and(|own| own.asked.is_some())
    }

    /// The way to the call in this space, or in any of the lot: who gets it has the call for itself.
    fn take(&self, lot: &str, space: Option<u32>) -> Option<Asked> {
        let mut spaces = self.spaces();
        let is_it = |(key, there): (&(String, u32), &Space)| {
            let is_named = key.0 == lot && space.is_none_or(|space| key.1 == space);
            (is_named && there.asked.is_some()).then(|| key.clone())
        };
        let key = spaces.iter().find_map(is_it)?;
        spaces.get_mut(&key)?.asked.take()
    }

    fn reserve(&self, lot: &ParkingLot, wish: &Wish, parked: Parked, lucky: u32) -> Option<u32> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut spaces = self.spaces();
        let key = |space: u32| (lot.id.clone(), space);
        let is_free = |space: &u32| !spaces.contains_key(&key(*space));
        let (first, end) = (*lot.spaces.start(), *lot.spaces.end());
        let begin = match (wish.random, lot.takes_next, last.get(&lot.id)) {
            (true, ..) => first + lucky % (end - first + 1),
            (false, true, Some(last)) if *last < end => last + 1,
            (false, ..) => first,
        };
        // The search begins there, as in Asterisk: what is taken is passed over.
        let wanted = wish.space.filter(|space| lot.spaces.contains(space));
        let begin = wanted.unwrap_or(begin);
        let space = (begin..=end).chain(first..begin).find(is_free)?;
        last.insert(lot.id.clone(), space);
        let parked = Parked { space, ..parked };
        spaces.insert(
            key(space),
            Space {
                parked,
                asked: None,
            },
        );
        Some(space)
    }
}

impl Switch {
    /// Reserves a space for a channel that `by` parks.
    ///
    /// # Errors
    ///
    /// When there is no such lot, or no free space.
    pub fn reserve(&self, channel: &Channel, by: &str, wish: Wish) -> Result<Ticket, NotParked> {
        let config = self.config();
        let own = channel.vars.value("PARKINGLOT").unwrap_or(DEFAULT_LOT);
        let name = wish.lot.as_deref().unwrap_or(own);
        let Some(lot) = config.parking.lots.get(name) else {
            return Err(NotParked::NoLot(name.to_owned()));
        };
        let parker = reach_of(by);
        let parked = Parked {
            lot: lot.id.clone(),
            space: 0,
            channel: channel.name().to_owned(),
            parker: parker.clone(),
        };
        let space = self.parkings().reserve(lot, &wish, parked, self.lucky());
        let Some(space) = space else {
            return Err(NotParked::Full(name.to_owned()));
        };
        Ok(Ticket(Arc::new(Reservation {
            switch: self.clone(),
            lot: lot.clone(),
            space,
            parker,
            wish,
        })))
    }

    /// Parks a channel that another call had.
    pub fn park(&self, channel: Channel, ticket: Ticket) {
        let call = self.clone();
        // Where the exchange stops, the channel is dropped and thereby hung up.
        self.spawn(async move { call.run(channel, Work::Parked(ticket)).await });
    }

    /// Picks up the call in a space of a lot, or any call of the lot.
    pub async fn pick_up(&self, lot: &str, space: Option<u32>) -> Option<Box<Channel>> {
        let asked = self.parkings().take(lot, space)?;
        let (hand, parked) = oneshot::channel();
        asked.send(hand).ok()?;
        parked.await.ok()
    }
}

/// What became of a call that was parked.
pub(crate) enum Unparked {
    /// Somebody has it.
    PickedUp,
    /// It left, or is to go on elsewhere.
    Left(Channel, Interrupt),
    /// Its time is over: the one who parked it is called, with these arguments of `Dial`.
    Back(Channel, String),
    /// Its time is over, and it goes on in the dial plan.
    GoesOn(Channel, Position),
}

/// Lets a channel wait in its space.
pub(crate) async fn wait(mut channel: Channel, ticket: Ticket) -> Unparked {
    let Reservation {
        switch,
        lot,
        space,
        parker,
        wish,
    } = &*ticket.0;
    let (asked, mut asks) = oneshot::channel();
    {
        let mut spaces = switch.parkings().spaces();
        if let Some(own) = spaces.get_mut(&(lot.id.clone(), *space)) {
            own.parked.channel = channel.name().to_owned();
            own.asked = Some(asked);
        }
    }
    // Keys of phones may show the space.
    switch.directory().changed();
    let text = format!("parked in {} space {space}", lot.id);
    tracing::info!(channel = channel.name(), parker, "{text}");
    channel.tell(StoryEvent::Remark { text });
    channel.fares(200);
    channel.record_mut().speak();
    channel.record_runs("Park", &lot.id);
    channel.runs(format!("Parked Call ({space})"));
    match wish.rings {
        true => channel.play_ringing(),
        false => channel.start_music(lot.music_class.as_deref()).await,
    }
    let time = wish
        .time
        .unwrap_or_else(|| Duration::from_secs(lot.time_s.into()));
    let end = Instant::now().checked_add(time);
    let hand = loop {
        let wake = tokio::select! {
            biased;
            wake = channel.wake() => wake,
            hand = &mut asks => break hand.ok(),
            () = until(end) => break None,
        };
        if let Err(interrupt) = channel.on_wake(wake).await {
            return Unparked::Left(channel, interrupt);
        }
    };
    channel.stop_tones();
    channel.stop_music();
    channel.forget_digits();
    channel.record_mut().conclude();
    if let Some(hand) = hand {
        let Err(back) = hand.send(Box::new(channel)) else {
            return Unparked::PickedUp;
        };
        // Who was about to have it is gone.
        let mut channel = *back;
        let interrupt = channel.hangup(Cause::NormalClearing);
        return Unparked::Left(channel, interrupt);
    }
    over(channel, &ticket).await
}

/// The time is over.
async fn over(mut channel: Channel, ticket: &Ticket) -> Unparked {
    let Reservation {
        switch,
        lot,
        space,
        parker,
        wish,
    } = &*ticket.0;
    let flat = parker.replace('/', "_");
    let space = space.to_string();
    let told = [
        ("PARKING_SPACE", space.as_str()),
        ("PARKINGSLOT", space.as_str()),
        ("PARKEDLOT", lot.id.as_str()),
        ("PARKER", parker.as_str()),
        ("PARKER_FLAT", flat.as_str()),
    ];
    for (name, value) in told {
        // Short values; a full table is told by Set itself.
        let _ = channel.vars.set(name, value);
    }
    let text = "nobody picked it up in time".to_owned();
    channel.tell(StoryEvent::Remark { text });
    if let Some(then) = &wish.then {
        return Unparked::GoesOn(channel, then.clone());
    }
    // A Local channel parked itself: to call it is to park once more.
    if lot.comes_back && !parker.starts_with("Local/") {
        let dial = format!("{parker},{},{}", lot.comeback_dial_s, letters(lot));
        return Unparked::Back(channel, dial);
    }
    let own = Position {
        context: lot.comeback_context.clone(),
        exten: flat,
        priority: 1,
    };
    let known = switch.has_extension(&own.context, &own.exten, None).await;
    let to = match known.unwrap_or(false) {
        true => own,
        false => Position {
            exten: "s".to_owned(),
            ..own
        },
    };
    Unparked::GoesOn(channel, to)
}

/// What the one who is called back may do by digits, as options of `Dial`: it is who would have picked the call
/// up. As in Asterisk the parked one, somebody from outside perhaps, may do nothing.
fn letters(lot: &ParkingLot) -> String {
    let features = [
        (lot.transfers, 't'),
        (lot.reparking, 'k'),
        (lot.hangup, 'h'),
        (lot.recording, 'x'),
    ];
    let mut letters = String::new();
    for (who, letter) in features {
        use config::ActivatedBy::{Both, Caller};
        if matches!(who, Some(Caller | Both)) {
            letters.push(letter);
        }
    }
    letters
}

/// What is dialled to reach a party again: its channel's name without the number.
pub(crate) fn reach_of(name: &str) -> String {
    let place = name.rsplit_once('-').map_or(name, |(place, _)| place);
    place.to_owned()
}

impl Channel {
    /// Lets the far end hear a number, digit by digit.
    pub async fn say_digits(&mut self, digits: &str) -> AppResult {
        for digit in digits.chars() {
            let sound = format!("digits/{digit}");
            self.prompt(&sound, Instead::Beep, |_| false).await?;
        }
        Ok(())
    }
}
