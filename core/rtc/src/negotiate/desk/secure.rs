//! DTLS-SRTP of desk phones: fingerprints (RFC 8122) and who begins the handshake (RFC 5763 §5, RFC 8842).

use crate::dtls::Print;
use crate::policy::Role;
use sdp::{Media, Sdp, Setup};

/// What a section says of DTLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Theirs {
    pub(super) prints: Vec<Print>,
    pub(super) setup: Option<Setup>,
}

/// What was agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Association {
    /// One of these is the peer's certificate's.
    pub(crate) prints: Vec<Print>,
    /// Whether we begin.
    pub(crate) is_active: bool,
}

impl Association {
    /// Our role, as an answer says it.
    pub(super) fn setup(&self) -> Setup {
        match self.is_active {
            true => Setup::Active,
            false => Setup::Passive,
        }
    }
}

impl Theirs {
    /// `None` if it has no fingerprint that can be checked here.
    pub(super) fn read(sdp: &Sdp, media: &Media) -> Option<Self> {
        let written = sdp.fingerprints(media);
        let prints: Vec<Print> = written
            .iter()
            .take(PRINTS_MAX)
            .filter_map(|print| Print::parse(print.hash, print.value))
            .collect();
        let setup = sdp.setup(media);
        (!prints.is_empty()).then_some(Self { prints, setup })
    }

    /// What comes of an offer.
    pub(super) fn offered(self, before: Option<&Association>, role: Role) -> Association {
        let standing = before.filter(|before| before.prints == self.prints);
        let is_active = match (self.setup, standing) {
            // RFC 8842 §5.3: as long as the association stands, so do its roles.
            (Some(Setup::ActPass) | None, Some(before)) => before.is_active,
            (Some(Setup::Active), _) => false,
            (Some(Setup::Passive), _) => true,
            // A phone behind a NAT can be reached only after it has sent something itself.
            (Some(Setup::ActPass | Setup::HoldConn) | None, _) => role == Role::Active,
        };
        Association {
            prints: self.prints,
            is_active,
        }
    }

    /// What comes of an answer to a description in which we said this of ourselves.
    pub(super) fn answered(self, before: Option<&Association>, said: Setup) -> Association {
        let standing = before.filter(|before| before.prints == self.prints);
        let is_active = match (said, self.setup) {
            // What we said leaves no choice, though baresip 1.0 answers `active` to `active` and waits.
            (Setup::Active, _) => true,
            (Setup::Passive, _) => false,
            (Setup::ActPass | Setup::HoldConn, Some(Setup::Active)) => false,
            (Setup::ActPass | Setup::HoldConn, Some(Setup::Passive)) => true,
            (Setup::ActPass | Setup::HoldConn, _) => {
                standing.is_some_and(|before| before.is_active)
            }
        };
        Association {
            prints: self.prints,
            is_active,
        }
    }
}

/// The role of an offer, as it is written.
pub(super) fn offer_of(role: Role) -> Setup {
    match role {
        Role::Either => Setup::ActPass,
        Role::Active => Setup::Active,
        Role::Passive => Setup::Passive,
    }
}

/// Fingerprints that are read of one section.
const PRINTS_MAX: usize = 8;
