//! Devices that the dial plan names: what is dialled, and what hints watch. Only what is sure is told: a name with a
//! variable in it is known when a call gets there.

use crate::snapshot::{Config, Elsewhere};
use conf::{Diagnostic, Report, Severity, closest};
use dialplan::{Extension, Step};
use std::collections::BTreeSet;

/// What begins the name of a device without being a technology of calls.
const PROVIDERS: [&str; 2] = ["Custom", "park"];

/// Kinds of devices of Asterisk that never have a state here.
const STATELESS: [&str; 7] = [
    "confbridge",
    "meetme",
    "MWI",
    "Queue",
    "Agent",
    "Calendar",
    "flp",
];

/// Technologies of Asterisk that are not there.
const OTHERS: [&str; 9] = [
    "SIP", "IAX2", "DAHDI", "SCCP", "Skinny", "MGCP", "H323", "Motif", "Console",
];

/// What is wrong with a device, and what to do.
struct Fault {
    message: String,
    meant: Option<String>,
    advice: String,
}

impl Config {
    /// A warning for each device of the dial plan that nothing defines. `elsewhere`: what a database defines;
    /// endpoints are not judged where that is not known.
    pub fn device_faults(&self, elsewhere: Option<&Elsewhere>) -> Vec<Diagnostic> {
        let mut report = Report::default();
        let extensions = self.plan.contexts().flat_map(|(_, all)| all.iter());
        for extension in extensions {
            if let Some(hint) = &extension.hint {
                report.extend(self.hint_faults(extension, hint, elsewhere));
            }
            for step in extension.steps.values() {
                for device in dialled(step) {
                    let fault = self.place_fault(device, elsewhere);
                    report.extend(fault.map(|fault| fault.at(&step.file, step.line, step.column)));
                }
            }
        }
        report.finish()
    }

    fn hint_faults(
        &self,
        extension: &Extension,
        hint: &str,
        elsewhere: Option<&Elsewhere>,
    ) -> Vec<Diagnostic> {
        let devices = hint.split([',', '(']).next().unwrap_or_default();
        let devices = devices.split('&').map(str::trim);
        let named = devices.filter(|device| !device.is_empty() && !device.contains('$'));
        let faults = named.filter_map(|device| self.device_fault(device, elsewhere));
        let place = extension.hint_at.as_ref();
        faults
            .map(|fault| match place {
                Some((file, line, column)) => fault.at(file, *line, *column),
                None => fault.at("extensions.conf", 0, 0),
            })
            .collect()
    }

    /// What is wrong with the device of a hint.
    fn device_fault(&self, device: &str, elsewhere: Option<&Elsewhere>) -> Option<Fault> {
        if let Some((lot, space)) = self.parking.space_of(device) {
            return lot.is_none().then(|| Fault {
                message: format!(
                    "hint `{device}`: no parking lot of this context has space {space}, so it never changes"
                ),
                meant: None,
                advice: "write park:SPACE@CONTEXT, with `context` and `parkpos` of a lot of \
                         res_parking.conf"
                    .to_owned(),
            });
        }
        if let Some((kind, _)) = device.split_once(':')
            && !kind.contains('/')
        {
            let is = |own: &str| own.eq_ignore_ascii_case(kind);
            if PROVIDERS.iter().any(|own| is(own)) {
                return None;
            }
            let why = match STATELESS.iter().any(|own| is(own)) {
                true => "there is no state of this kind here",
                false => "nobody knows this kind of device",
            };
            return Some(Fault {
                message: format!("hint `{device}`: {why}, so it never changes"),
                meant: closest(kind, PROVIDERS).map(str::to_owned),
                advice: "hints watch PJSIP/endpoint, Custom:name and park:space@context".to_owned(),
            });
        }
        let fault = self.place_fault(device, elsewhere)?;
        let message = format!("hint: {}", fault.message);
        Some(Fault { message, ..fault })
    }

    /// What is wrong with what is dialled.
    fn place_fault(&self, device: &str, elsewhere: Option<&Elsewhere>) -> Option<Fault> {
        let Some((technology, rest)) = device.split_once('/') else {
            return Some(Fault {
                message: format!("`{device}` names no technology: nobody would be called"),
                meant: None,
                advice: "write PJSIP/endpoint or Local/extension@context".to_owned(),
            });
        };
        let is = |own: &str| technology.eq_ignore_ascii_case(own);
        match () {
            () if is("PJSIP") => self.endpoint_fault(device, rest, elsewhere?),
            () if is("Local") => self.local_fault(device, rest),
            () => {
                let known = OTHERS.iter().any(|own| is(own));
                let why = match known {
                    true => "calls go out by PJSIP and Local here",
                    false => "there is no such technology",
                };
                Some(Fault {
                    message: format!("`{device}`: {why}, so nobody would be called"),
                    meant: None,
                    advice: format!("write `PJSIP/{rest}`"),
                })
            }
        }
    }

    /// `endpoint`, `number@endpoint`, `endpoint/sip:…`.
    fn endpoint_fault(&self, device: &str, rest: &str, elsewhere: &Elsewhere) -> Option<Fault> {
        let place = rest.split('/').next().unwrap_or_default();
        let name = place.rsplit_once('@').map_or(place, |(_, name)| name);
        if self.endpoints.contains_key(name) || elsewhere.endpoints.contains(name) {
            return None;
        }
        // A number is no misspelling of its neighbour.
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
        let all = self.endpoints.keys().map(String::as_str);
        let all = all.chain(elsewhere.endpoints.iter().map(String::as_str));
        Some(Fault {
            message: format!("`{device}`: there is no endpoint `{name}`"),
            meant: closest(name, all).filter(|_| !is_number).map(str::to_owned),
            advice: format!("add `[{name}]` with `type=endpoint` to pjsip.conf"),
        })
    }

    /// `extension@context[/options]`.
    fn local_fault(&self, device: &str, rest: &str) -> Option<Fault> {
        let place = rest.split('/').next().unwrap_or_default();
        let (exten, context) = place.rsplit_once('@').unwrap_or((place, "default"));
        if !self.plan.has_context(context) {
            let contexts = self.plan.contexts().map(|(name, _)| name);
            return Some(Fault {
                message: format!("`{device}`: there is no context `{context}`"),
                meant: closest(context, contexts).map(str::to_owned),
                advice: format!("add `[{context}]` to extensions.conf"),
            });
        }
        let is_found = self.plan.find(context, exten, None).is_some();
        let asks_tables = self.plan.switches().next().is_some();
        (!is_found && !asks_tables && !self.is_for_some(exten)).then(|| Fault {
            message: format!("`{device}`: context `{context}` has no extension `{exten}`"),
            meant: None,
            advice: format!("add `exten => {exten},1,…` to `[{context}]`"),
        })
    }

    /// Whether an extension of this name is for certain callers, who are known when the call is there.
    fn is_for_some(&self, exten: &str) -> bool {
        let mut extensions = self.plan.contexts().flat_map(|(_, all)| all.iter());
        extensions.any(|own| own.caller.is_some() && own.name == exten)
    }
}

impl Fault {
    fn at(self, file: &str, line: u32, column: u32) -> Diagnostic {
        let about = Diagnostic::about_file(Severity::Warning, file, self.message);
        let about = Diagnostic {
            line,
            column,
            ..about
        };
        match self.meant {
            Some(meant) => about.did_you_mean(Some(&meant)),
            None => about.advise(self.advice),
        }
    }
}

/// The places a step of `Dial` names in full.
fn dialled(step: &Step) -> BTreeSet<&str> {
    if !step.application.eq_ignore_ascii_case("Dial") {
        return BTreeSet::new();
    }
    let first = step.arguments.split(',').next().unwrap_or_default();
    // A variable may hold the comma, or several places.
    if first.contains('$') && first.matches('{').count() != first.matches('}').count() {
        return BTreeSet::new();
    }
    let places = first.split('&').map(str::trim);
    places
        .filter(|place| !place.is_empty() && !place.contains('$'))
        .collect()
}
