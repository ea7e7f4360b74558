//! Parking by digits: the other party goes to a space of a lot, and who parks it is told the number.

use config::DEFAULT_LOT;

use super::aside::Meanwhile;
use super::{Goes, Parted, Party, Talk, parted};
use crate::channel::Instead;
use crate::event::Interrupt;
use crate::park::{Ticket, Wish};

impl Talk<'_> {
    pub(super) async fn park(&mut self, side: Party) -> Goes {
        let (own, _) = self.pair(side);
        let lot = own.vars.value("PARKINGLOT").unwrap_or(DEFAULT_LOT);
        let lot = lot.to_owned();
        self.park_in(side, lot).await
    }

    /// Parks the other party in a lot.
    pub(super) async fn park_in(&mut self, side: Party, lot: String) -> Goes {
        let (own, other) = self.pair(side);
        let wish = Wish {
            lot: Some(lot),
            ..Wish::default()
        };
        match own.switch().reserve(other, own.name(), wish) {
            Ok(ticket) => self.parked(side, ticket).await,
            Err(why) => {
                tracing::warn!(channel = own.name(), "not parked: {why}");
                self.tells(side, "pbx-parkingfailed".to_owned(), Instead::Refusal)
                    .await?;
                self.rejoin().await
            }
        }
    }

    /// Tells the number of the space and sends the other party there.
    async fn parked(&mut self, side: Party, ticket: Ticket) -> Goes {
        let digits = ticket.space().to_string();
        let told = self
            .aside(side, Meanwhile::Music(None), |own| {
                Box::pin(async move { own.say_digits(&digits).await })
            })
            .await;
        let (_, other) = self.pair(side);
        let is_led_on = matches!(
            (&told, side),
            (Err(Parted::Callee(_)), Party::Caller) | (Err(Parted::Caller(_)), Party::Callee)
        );
        if other.ended().is_some() || is_led_on {
            return told;
        }
        // Whether or not the number was heard to its end.
        Err(parted(side, false, Interrupt::Park(ticket)))
    }
}
