//! The keys of one line: SRTP and SRTCP (RFC 3711), whoever they came from.

use super::Line;
use crate::negotiate::desk::Keys;
use rtp::srtp::{MasterKey, Opener, Sealer};

/// Both directions of SRTP.
pub(super) struct Protection {
    pub(super) ours: MasterKey,
    pub(super) theirs: MasterKey,
    /// What the peer's packets name that by.
    pub(super) identifier: Box<[u8]>,
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
}

impl Line {
    /// The counts of packets under a key go on while the key does.
    pub(super) fn rekey(&mut self, keys: Option<&Keys>) {
        let Some(keys) = keys else {
            self.protection = None;
            return;
        };
        let (ours, theirs) = (&keys.ours.key, &keys.theirs.key);
        let identifier = &keys.theirs.identifier;
        let before = self.protection.take();
        let (mut sealer, mut opener) = (None, None);
        if let Some(before) = before {
            sealer = (before.ours == *ours).then_some(before.sealer);
            let is_same = before.theirs == *theirs && before.identifier == *identifier;
            opener = is_same.then_some(before.opener);
        }
        self.protection = Some(Protection {
            ours: ours.clone(),
            theirs: theirs.clone(),
            identifier: identifier.clone(),
            sealer: sealer.unwrap_or_else(|| Sealer::new(ours)),
            opener: opener.unwrap_or_else(|| Opener::identified(theirs.clone(), identifier)),
        });
    }
}
