//! A blind transfer by digits: the one who dialled the code dials an extension, the other one is sent there.

use std::time::Duration;

use config::{DEFAULT_LOT, FeatureGeneral};
use dialplan::Position;

use super::aside::Meanwhile;
use super::{Goes, Party, Talk, parted};
use crate::channel::{Channel, Instead};
use crate::event::{AppResult, Interrupt};
use crate::transfer;

/// Digits of the number that is transferred to.
const NUMBER_DIGITS_MAX: usize = 80;

impl Talk<'_> {
    pub(super) async fn blind_transfer(&mut self, side: Party) -> Goes {
        let dialled = self
            .aside(side, Meanwhile::Music(None), |own| Box::pin(number(own)))
            .await?;
        let Some(to) = dialled else {
            return self.rejoin().await;
        };
        self.blind_to(side, to).await
    }

    /// Sends the other party there.
    pub(super) async fn blind_to(&mut self, side: Party, to: Position) -> Goes {
        if let Some(lot) = parks(self.pair(side).0, &to) {
            return self.park_in(side, lot).await;
        }
        let (own, other) = self.pair(side);
        transfer::blind(own, other, &to);
        Err(parted(side, false, Interrupt::Redirect(to)))
    }
}

/// The lot whose extension this is: who is sent there is parked, and who sends it is told where.
fn parks(own: &Channel, to: &Position) -> Option<String> {
    let config = own.switch().config();
    let step = config.plan.step_now(to, Some(&own.caller.number), own)?;
    let lots = &mut config.parking.lots.values();
    let own_lot = own.vars.value("PARKINGLOT").unwrap_or(DEFAULT_LOT);
    let lot = lots.find(|lot| lot.extension == to.exten)?;
    let is_park = step.application.eq_ignore_ascii_case("Park");
    is_park.then(|| match lot.is_exclusive {
        true => lot.id.clone(),
        false => own_lot.to_owned(),
    })
}

/// Asks a party for the extension the other one is to be sent to. `None`: it dialled none that exists, as often as
/// it may.
pub(super) async fn number(own: &mut Channel) -> AppResult<Option<Position>> {
    let general = own.features().general.clone();
    let context = transfer::context_of(own);
    for attempt in 1..=general.transfer_dial_attempts {
        let dialled = dial(own, &general, &context).await?;
        let digits = match dialled {
            Ok(to) => return Ok(Some(to)),
            Err(digits) => digits,
        };
        transfer::say_failed(own, &digits, &context);
        let sound = match attempt < general.transfer_dial_attempts {
            true => &general.transfer_retry_sound,
            false => &general.transfer_invalid_sound,
        };
        own.prompt(sound, Instead::Refusal, |_| false).await?;
    }
    Ok(None)
}

/// Where it leads; else what was dialled.
async fn dial(
    own: &mut Channel,
    general: &FeatureGeneral,
    context: &str,
) -> AppResult<Result<Position, String>> {
    let announced = &general.transfer_announce_sound;
    let mut next = own.prompt(announced, Instead::Beep, |_| true).await?;
    let patience = Duration::from_secs(general.transfer_digit_timeout_s.into());
    if next.is_none() {
        own.play_tone("dial");
    }
    let mut digits = String::new();
    while digits.len() < NUMBER_DIGITS_MAX {
        let digit = match next.take() {
            Some(digit) => Some(digit),
            None => own.read_digit_within(patience).await?,
        };
        own.stop_tones();
        let Some(digit) = digit.filter(|digit| *digit != '#') else {
            break;
        };
        digits.push(digit);
        // Where that is not known, the pause tells.
        let (switch, caller) = (own.switch().clone(), own.caller.number.clone());
        let longer = switch.could_be_longer(context, &digits, Some(&caller));
        if !own.during(longer).await?.unwrap_or(true) {
            break;
        }
    }
    own.stop_tones();
    if digits.is_empty() {
        return Ok(Err(digits));
    }
    let (switch, caller) = (own.switch().clone(), own.caller.number.clone());
    let exists = switch.has_extension(context, &digits, Some(&caller));
    let exists = own.during(exists).await?;
    Ok(match exists.unwrap_or(false) {
        true => Ok(Position {
            context: context.to_owned(),
            exten: digits,
            priority: 1,
        }),
        false => Err(digits),
    })
}
