//! `FEATURE(option)` and `FEATUREMAP(feature)`: features.conf, for one channel.

use switch::{Channel, Function, SetError};

use super::items::unknown;

/// `[general]` of features.conf, as it holds for the channel.
pub(crate) static FEATURE: Function = Function {
    name: "FEATURE",
    synopsis: "An option of [general] in features.conf, for this channel: featuredigittimeout, atxferdropcall, xfersound, …",
    read: |call, option| {
        let value = call.feature(option);
        value.or_else(|| unknown(call, "FEATURE", option))
    },
    write: Some(|call: &mut Channel, option, value| {
        let is_known = call.feature(option).is_some();
        match call.set_feature(option, value) {
            true => Ok(()),
            false if is_known => Err(SetError::Value),
            false => Err(SetError::Item),
        }
    }),
};

/// `[featuremap]` of features.conf, as it holds for the channel.
pub(crate) static FEATURE_MAP: Function = Function {
    name: "FEATUREMAP",
    synopsis: "The digits of a feature for this channel: blindxfer, atxfer, disconnect, parkcall, automon, automixmon",
    read: |call, feature| {
        let value = call.feature_digits(feature);
        value.or_else(|| unknown(call, "FEATUREMAP", feature))
    },
    write: Some(|call: &mut Channel, feature, digits| {
        let is_known = call.feature_digits(feature).is_some();
        match call.set_feature_digits(feature, digits) {
            true => Ok(()),
            false if is_known => Err(SetError::Value),
            false => Err(SetError::Item),
        }
    }),
};
