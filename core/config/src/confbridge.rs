//! `confbridge.conf`: profiles of conferences and of who takes part, and menus of digits.

mod bridge;
mod menu;
mod user;

use std::collections::BTreeMap;

pub use bridge::{BridgeProfile, RembBehavior, VideoMode};
pub use menu::{Menu, MenuAction};
pub use user::UserProfile;

pub(crate) use menu::ACTIONS;

/// `confbridge.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfBridge {
    /// `type=user`, by name.
    pub users: BTreeMap<String, UserProfile>,
    /// `type=bridge`, by name.
    pub bridges: BTreeMap<String, BridgeProfile>,
    /// `type=menu`, by name.
    pub menus: BTreeMap<String, Menu>,
}

/// No conference runs.
pub(crate) const NO_CONFERENCE: &str = "the dial plan has no application ConfBridge yet";
