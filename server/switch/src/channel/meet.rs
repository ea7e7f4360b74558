//! What two channels do together: find what both can have, hear each other.

use std::sync::Arc;

use rtc::policy::Policy;

use super::streams;
use super::{Channel, State};
use crate::cause::Cause;
use crate::event::AppResult;
use crate::leg::{self, Joint, MediaLeg};
use crate::story::StoryEvent;

impl Channel {
    /// What the far end can have, as far as it is known: what was agreed, else what it offered, else what
    /// its endpoint allows.
    pub fn capabilities(&self) -> Policy {
        if !self.topology.is_empty() {
            return self.policy.agreed(&self.topology);
        }
        if let Some(agreed) = &self.early {
            return self.policy.agreed(agreed);
        }
        match &self.offer {
            Some(offer) => self.policy.asked(offer),
            None => self.policy.clone(),
        }
    }

    /// Makes ready to be connected to `other`, which has agreed to something: our answer will have the
    /// codecs it has, if our offerer has any of them. Without effect once our own streams are agreed.
    pub fn suit(&mut self, other: &Self) -> AppResult {
        let is_agreed = self.is_up() || self.early.is_some();
        if is_agreed || self.ended().is_some() {
            return Ok(());
        }
        let preference = &self.endpoint().outgoing_answer;
        let offer = self.offer.as_ref();
        self.policy = self
            .policy
            .meeting_offer(offer, &other.capabilities(), preference);
        self.suit_pictures(other);
        self.open_leg(other.media_leg())
    }

    /// Lets the far end hear what comes before the answer (183 with our description). `false`: it made no
    /// offer, so it cannot; it is alerted instead.
    pub async fn early(&mut self) -> AppResult<bool> {
        self.catch_up().await?;
        if self.state != State::Ringing || self.early.is_some() {
            return Ok(self.early.is_some());
        }
        if self.offer.is_none() {
            self.ring();
            return Ok(false);
        }
        let (sdp, agreed) = self.first_round().await?;
        self.signaling.ring(Some(&sdp));
        self.local = Some(sdp);
        self.early = Some(agreed);
        self.listen_for_tones();
        self.record_armed().await;
        Ok(true)
    }

    /// The two hear each other until the guard is dropped. `None`: one of them has no media.
    pub fn connect(&self, other: &Self) -> Option<Joint> {
        leg::connect(self.leg.as_ref()?, other.leg.as_ref()?)
    }

    /// Takes a place in a room, until the guard is dropped: it hears all the others there and is heard by them.
    pub(crate) fn sit(&self, seat: &Arc<dyn MediaLeg>) -> Option<Joint> {
        leg::connect(self.leg.as_ref()?, seat)
    }

    /// Why the call is over, or the last party it called is gone: `HANGUPCAUSE`.
    pub fn cause(&self) -> Option<Cause> {
        self.ended().or(self.told)
    }

    /// Notes why the party it called is gone.
    pub fn set_cause(&mut self, cause: Cause) {
        self.told = Some(cause);
    }

    /// Asks the far end for the streams that `other` has and this one lacks.
    pub(crate) async fn match_streams(&mut self, other: &rtc::topology::Topology) -> AppResult {
        let mut policy = self.policy.clone();
        if !self.facts.sight.is_offered_lines() {
            policy.video.clear();
        }
        if let Some(want) = streams::matched(&self.topology, other, &policy)
            && let Err(why) = self.offer(want).await?
        {
            let text = format!("the other party's new streams are not passed on: {why}");
            self.tell(StoryEvent::Remark { text });
        }
        Ok(())
    }

    pub(crate) fn media_leg(&self) -> Option<&dyn MediaLeg> {
        self.leg.as_deref()
    }
}
