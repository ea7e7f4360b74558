//! The place of a channel that another one takes while it waits for a party it calls (REFER with Replaces of a call
//! that rings), and what it leaves behind there.
//!
//! Who has been referred to a place counts as on its way there: should the channel be hung up meanwhile, its place is
//! kept until the other one is there, or is known not to come.

use crate::cause::Cause;
use crate::event::{AppResult, Happened, Interrupt};
use crate::story::Side;
use crate::transfer::Newcomer;

use super::Channel;

impl Channel {
    /// From now on another channel may take its place, in the middle of what it does; or no longer.
    pub fn offer_place(&mut self, is_offered: bool) {
        self.condition().offer(is_offered);
        self.replaced = false;
    }

    /// Whether another channel has taken this place since this was last asked.
    pub fn take_replaced(&mut self) -> bool {
        std::mem::take(&mut self.replaced)
    }

    /// Another channel comes to take its place.
    pub(super) async fn on_replaced(&mut self, newcomer: Newcomer) -> AppResult<Option<Happened>> {
        if newcomer.visits() {
            self.on_guest(newcomer);
            return Ok(None);
        }
        if self.condition().is_offered() {
            newcomer.go_on_for(self).await;
            self.condition().offer(true);
            self.replaced = true;
            return Ok(None);
        }
        // It waited when this was agreed on, and its call has come to nothing meanwhile: the step of the dial plan that
        // it has come to begins anew for the other one.
        if newcomer.was_expected() && self.is_in_the_plan() && !self.is_aside() {
            newcomer.go_on_for(self).await;
            return Err(Interrupt::Redirect(self.at.clone()));
        }
        newcomer.turn_away();
        Ok(None)
    }

    /// The far end left. Where another channel is on its way into its place, that is kept.
    pub(super) fn on_left(&mut self, cause: Cause) -> AppResult<Option<Happened>> {
        if self.condition().is_claimed() {
            self.parting = Some(cause);
            return Ok(None);
        }
        Err(self.end(Side::Them, cause))
    }

    /// Who was on its way is there, or does not come.
    pub(super) fn on_unclaimed(&mut self) -> AppResult<Option<Happened>> {
        match self.parting {
            Some(cause) if !self.condition().is_claimed() => Err(self.end(Side::Them, cause)),
            Some(_) | None => Ok(None),
        }
    }

    /// Ends it, since another channel has its place.
    pub(crate) fn leave_place(&mut self, cause: Cause) {
        match self.parting.take() {
            Some(cause) => self.end(Side::Them, cause),
            None => self.hangup(cause),
        };
    }

    /// Goes on with what `left` was doing in the dial plan: it returns from the same subroutines, and has its
    /// variables.
    pub(crate) fn inherit_plan(&mut self, left: &mut Self) {
        const TOLD: [&str; 5] = [
            "ATTENDEDTRANSFER",
            "BLINDTRANSFER",
            "SIPTRANSFER",
            "SIPREFERTOHDR",
            "SIPREFERREDBYHDR",
        ];
        let told = TOLD.map(|name| (name, self.vars.value(name).unwrap_or_default().to_owned()));
        self.frames = std::mem::take(&mut left.frames);
        self.vars.adopt(&left.vars);
        for (name, value) in told {
            // Of this transfer, not of one before it. They were set before, so they can be set again.
            let _ = self.vars.set(name, &value);
        }
    }

    /// The same for what it is seen to do, and its record.
    pub(crate) fn inherit_work(&mut self, left: &Self) {
        self.record.speak();
        self.record_goes_on();
        self.record.does_as(&left.record);
        self.runs(left.application.clone());
    }
}
