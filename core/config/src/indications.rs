//! `indications.conf`: the tones of a country, which the exchange plays where a phone hears them from it.
//!
//! A few countries are known without the file (ITU-T E.180, supplement 2); a section of the file stands in
//! place of the built-in one of its name.

use crate::reader::Reader;
use codec::ToneScript;
use conf::{Document, Report, Section, Severity, closest};
use std::collections::BTreeMap;

/// `indications.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indications {
    /// Whose tones are heard where no other zone is named.
    pub country: String,
    /// By name.
    pub zones: BTreeMap<String, Zone>,
}

/// The tones of one country.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// The name of the country.
    pub description: String,
    /// Milliseconds of ringing and silence, for bells that the exchange does not ring.
    pub ring_cadence: String,
    /// Each as a list of tones, by name: `dial`, `busy`, `ring` …
    pub tones: BTreeMap<String, String>,
}

impl Default for Indications {
    fn default() -> Self {
        let mut zones = BTreeMap::new();
        for (name, description, tones) in BUILT_IN {
            let tones = tones.iter();
            let zone = Zone {
                description: (*description).to_owned(),
                ring_cadence: String::new(),
                tones: tones
                    .map(|(name, list)| ((*name).to_owned(), (*list).to_owned()))
                    .collect(),
            };
            zones.insert((*name).to_owned(), zone);
        }
        Self {
            country: COUNTRY.to_owned(),
            zones,
        }
    }
}

impl Indications {
    /// The tone of this name in a zone, or in that of the country where no zone is named, or there is no
    /// such zone. What a zone lacks is as in North America.
    pub fn tone(&self, zone: Option<&str>, name: &str) -> Option<ToneScript> {
        let own = zone.and_then(|zone| self.zones.get(zone));
        let zones = own.or_else(|| self.zones.get(&self.country));
        let common = self.zones.get(COUNTRY);
        let mut zones = zones.into_iter().chain(common);
        let list = zones.find_map(|zone| zone.tones.get(name))?;
        ToneScript::parse(list).ok()
    }

    /// The names that every zone has tones for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let zone = self.zones.get(&self.country);
        let tones = zone.into_iter().flat_map(|zone| zone.tones.keys());
        tones.map(String::as_str)
    }
}

/// Reads `indications.conf`.
pub(crate) fn read(document: &Document, report: &mut Report) -> Indications {
    let mut reader = Reader::new(document, report);
    let mut indications = Indications::default();
    let mut country = None;
    for section in document.sections.iter().filter(|s| !s.template) {
        if section.name == "general" {
            for entry in &section.entries {
                match entry.name.to_ascii_lowercase().as_str() {
                    "country" => country = Some(entry),
                    _ => {
                        reader.unknown("indications.conf", entry, closest(&entry.name, ["country"]))
                    }
                }
            }
            continue;
        }
        let zone = zone(&mut reader, section);
        indications.zones.insert(section.name.clone(), zone);
    }
    let Some(entry) = country else {
        return indications;
    };
    if indications.zones.contains_key(&entry.value) {
        indications.country.clone_from(&entry.value);
    } else {
        let names: Vec<&str> = indications.zones.keys().map(String::as_str).collect();
        let message = format!(
            "there is no country `{}`: tones are as in `us`",
            entry.value
        );
        let diagnostic = reader.at_value(Severity::Error, entry, message);
        let advice = format!(
            "known are {}; or write a section of that name",
            names.join(", ")
        );
        reader.push(match closest(&entry.value, names.iter().copied()) {
            Some(meant) => diagnostic.did_you_mean(Some(meant)),
            None => diagnostic.advise(advice),
        });
    }
    indications
}

fn zone(reader: &mut Reader<'_>, section: &Section) -> Zone {
    let mut zone = Zone::default();
    for entry in &section.entries {
        let name = entry.name.to_ascii_lowercase();
        match name.as_str() {
            "description" => zone.description.clone_from(&entry.value),
            "ringcadence" => zone.ring_cadence.clone_from(&entry.value),
            _ => match ToneScript::parse(&entry.value) {
                Ok(_) if zone.tones.len() < TONES_MAX => {
                    zone.tones.insert(name, entry.value.clone());
                }
                Ok(_) => {
                    let message = format!("more than {TONES_MAX} tones: `{name}` is left out");
                    let diagnostic = reader.at_value(Severity::Error, entry, message);
                    reader.push(diagnostic);
                }
                Err(why) => {
                    let message = format!("tone `{name}` of `{}` is left out: {why}", section.name);
                    let diagnostic = reader.at_value(Severity::Error, entry, message);
                    reader.push(diagnostic.advise("write it for example as `425/500,0/500`"));
                }
            },
        }
    }
    zone
}

const COUNTRY: &str = "us";
/// Tones of one country.
const TONES_MAX: usize = 64;

/// The name of a country, what it is called, and its tones.
type BuiltIn = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// ITU-T E.180/Q.35, supplement 2: various tones used in national networks.
#[rustfmt::skip]
const BUILT_IN: &[BuiltIn] = &[
    ("at", "Austria", &[
        ("dial", "420"), ("busy", "420/400,0/400"), ("ring", "420/1000,0/5000"),
        ("congestion", "420/200,0/200"), ("callwaiting", "420/40,0/1960"),
    ]),
    ("au", "Australia", &[
        ("dial", "413+438"), ("busy", "425/375,0/375"), ("ring", "413+438/400,0/200,413+438/400,0/2000"),
        ("congestion", "425/375,0/375"), ("callwaiting", "425/200,0/200,425/200,0/4400"),
    ]),
    ("ch", "Switzerland", &[
        ("dial", "425"), ("busy", "425/500,0/500"), ("ring", "425/1000,0/4000"),
        ("congestion", "425/200,0/200"), ("callwaiting", "425/200,0/200,425/200,0/4000"),
    ]),
    ("de", "Germany", &[
        ("dial", "425"), ("busy", "425/480,0/480"), ("ring", "425/1000,0/4000"),
        ("congestion", "425/240,0/240"), ("callwaiting", "!425/200,!0/200,!425/200,0/5000,425/200,0/200,425/200"),
    ]),
    ("es", "Spain", &[
        ("dial", "425"), ("busy", "425/200,0/200"), ("ring", "425/1500,0/3000"),
        ("congestion", "425/200,0/200,425/200,0/200,425/200,0/600"), ("callwaiting", "425/175,0/175,425/175,0/3500"),
    ]),
    ("fr", "France", &[
        ("dial", "440"), ("busy", "440/500,0/500"), ("ring", "440/1500,0/3500"),
        ("congestion", "440/250,0/250"), ("callwaiting", "440/300,0/10000"),
    ]),
    ("it", "Italy", &[
        ("dial", "425/200,0/200,425/600,0/1000"), ("busy", "425/500,0/500"), ("ring", "425/1000,0/4000"),
        ("congestion", "425/200,0/200"), ("callwaiting", "425/400,0/100,425/250,0/100,425/150,0/14000"),
    ]),
    ("jp", "Japan", &[
        ("dial", "400"), ("busy", "400/500,0/500"), ("ring", "400*16/1000,0/2000"),
        ("congestion", "400/500,0/500"), ("callwaiting", "400*16/500,0/8000"),
    ]),
    ("nl", "Netherlands", &[
        ("dial", "425"), ("busy", "425/500,0/500"), ("ring", "425/1000,0/4000"),
        ("congestion", "425/250,0/250"), ("callwaiting", "425/500,0/9500"),
    ]),
    ("pl", "Poland", &[
        ("dial", "425"), ("busy", "425/500,0/500"), ("ring", "425/1000,0/4000"),
        ("congestion", "425/500,0/500"), ("callwaiting", "425/150,0/150,425/150,0/4000"),
    ]),
    ("ru", "Russian Federation", &[
        ("dial", "425"), ("busy", "425/350,0/350"), ("ring", "425/800,0/3200"),
        ("congestion", "425/175,0/175"), ("callwaiting", "425/200,0/5000"),
    ]),
    ("se", "Sweden", &[
        ("dial", "425"), ("busy", "425/250,0/250"), ("ring", "425/1000,0/5000"),
        ("congestion", "425/250,0/750"), ("callwaiting", "425/200,0/500,425/200,0/9100"),
    ]),
    ("uk", "United Kingdom", &[
        ("dial", "350+440"), ("busy", "400/375,0/375"), ("ring", "400+450/400,0/200,400+450/400,0/2000"),
        ("congestion", "400/400,0/350,400/225,0/525"), ("callwaiting", "400/100,0/4000"),
    ]),
    ("us", "North America", &[
        ("dial", "350+440"), ("busy", "480+620/500,0/500"), ("ring", "440+480/2000,0/4000"),
        ("congestion", "480+620/250,0/250"), ("callwaiting", "440/300,0/10000"),
        ("dialrecall", "!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,350+440"),
        ("record", "1400/500,0/15000"), ("info", "!950/330,!1400/330,!1800/330,0"),
        ("stutter", "!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,\
                     !350+440/100,!0/100,!350+440/100,!0/100,350+440"),
    ]),
];

#[cfg(test)]
mod tests {
    use super::Indications;
    use codec::ToneScript;
    use std::collections::BTreeMap;

    fn load(text: &str) -> (Indications, Vec<String>) {
        let files = BTreeMap::from([("indications.conf".to_owned(), text.to_owned())]);
        let (config, messages) = crate::load(&files);
        let messages = messages.iter().map(ToString::to_string);
        let messages = messages.filter(|message| message.contains("indications.conf"));
        (config.unwrap().indications, messages.collect())
    }

    fn is(indications: &Indications, zone: Option<&str>, name: &str, list: &str) -> bool {
        indications.tone(zone, name) == Some(ToneScript::parse(list).unwrap())
    }

    #[test]
    fn every_built_in_tone_is_one_and_every_country_has_the_usual_ones() {
        let indications = Indications::default();
        for (name, zone) in &indications.zones {
            for tone in zone.tones.values() {
                assert!(ToneScript::parse(tone).is_ok(), "{name}: {tone}");
            }
            for tone in ["dial", "busy", "ring", "congestion", "callwaiting"] {
                assert!(zone.tones.contains_key(tone), "{name} lacks {tone}");
            }
        }
        assert!(indications.tone(Some("de"), "info").is_some(), "as in us");
        assert_eq!(indications.tone(None, "engaged"), None);
    }

    #[test]
    fn a_country_is_chosen_and_sections_stand_in_place_of_those_built_in() {
        let text = "[general]\ncountry=de\n[de]\nbusy=425/100,0/100\nringcadence = 1000,4000\n\
                    [xx]\ndescription=Nowhere\nring=!600/50,!0/50\nmine=100+200\n";
        let (indications, messages) = load(text);
        assert_eq!(messages, Vec::<String>::new());
        assert!(is(&indications, None, "busy", "425/100,0/100"));
        assert!(is(&indications, None, "ring", "440+480/2000,0/4000"));
        assert!(is(&indications, Some("xx"), "mine", "100+200"));
        assert!(is(&indications, Some("fr"), "busy", "440/500,0/500"));
        assert!(is(&indications, Some("nowhere"), "busy", "425/100,0/100"));
        assert_eq!(indications.zones["de"].ring_cadence, "1000,4000");
    }

    #[test]
    fn what_is_wrong_is_told_where_it_stands() {
        let (indications, messages) = load("[general]\ncountry=dee\n[fr]\nbusy=440/x\n");
        assert_eq!(indications.country, "us");
        assert!(
            messages.iter().any(|it| it.contains("no country `dee`")),
            "{messages:?}"
        );
        assert!(
            messages.iter().any(|it| it.contains("tone `busy` of `fr`")),
            "{messages:?}"
        );
    }
}
