//! `rtp set debug`, `rtcp set debug`, `rtp show settings`.

use std::net::{IpAddr, SocketAddr};

use config::Rtp;
use switch::MediaCounts;

use crate::command::{Command, Outcome, Slot, Takes};
use crate::log::Traced;

pub(crate) static SET_DEBUG: Command = Command {
    path: "rtp set debug",
    takes: Takes::Form(&[
        Slot::One(&["on", "off", "ip"]),
        Slot::Optional,
        Slot::Any("address[:port]"),
    ]),
    synopsis: "Enable/Disable RTP debugging",
    doc: "Prints one line per RTP packet to the log, as far as its header can be read in the clear:\n\
          all of them, or those from and to one address. What a channel of the log cannot take in\n\
          time is left out and counted.",
    run: |exchange, words| {
        Box::pin(async {
            let log = &exchange.parts.log;
            set_debug("RTP", words, |change| log.trace_rtp(change))
        })
    },
};

pub(crate) static SET_RTCP_DEBUG: Command = Command {
    path: "rtcp set debug",
    takes: Takes::Form(&[
        Slot::One(&["on", "off", "ip"]),
        Slot::Optional,
        Slot::Any("address[:port]"),
    ]),
    synopsis: "Enable/Disable RTCP debugging",
    doc: "Prints one line per RTCP packet to the log, as far as its header can be read in the clear:\n\
          all of them, or those from and to one address.",
    run: |exchange, words| {
        Box::pin(async {
            let log = &exchange.parts.log;
            set_debug("RTCP", words, |change| log.trace_rtcp(change))
        })
    },
};

pub(crate) static SHOW_SETTINGS: Command = Command {
    path: "rtp show settings",
    takes: Takes::Nothing,
    synopsis: "Display RTP settings",
    doc: "Shows the ports of media, those in use, and how packets are guarded.",
    run: |exchange, _| {
        Box::pin(async {
            let switch = &exchange.parts.switch;
            Outcome::Done(settings(&switch.config().rtp, &switch.media().counts()))
        })
    },
};

/// For one of the two protocols.
fn set_debug(
    protocol: &str,
    words: &[String],
    trace: impl FnOnce(&mut dyn FnMut(&mut Traced)),
) -> Outcome {
    match (words[0].to_ascii_lowercase().as_str(), words.get(1)) {
        ("on", None) => {
            trace(&mut |traced| {
                traced.on = true;
                traced.hosts.clear();
            });
            Outcome::Done(format!("{protocol} Packet Debugging Enabled\n"))
        }
        ("off", None) => {
            trace(&mut |traced| traced.on = false);
            Outcome::Done(format!("{protocol} Packet Debugging Disabled\n"))
        }
        ("ip", Some(word)) => match address(word) {
            Some(host) => {
                trace(&mut |traced| {
                    traced.on = true;
                    traced.hosts = vec![host];
                });
                Outcome::Done(format!(
                    "{protocol} Packet Debugging Enabled for address: {word}\n"
                ))
            }
            None => not_an_address(word),
        },
        _ => Outcome::Usage,
    }
}

/// `192.0.2.1`, `192.0.2.1:5004`, `[2001:db8::1]:5004`.
pub(crate) fn address(word: &str) -> Option<(IpAddr, Option<u16>)> {
    let bare = word
        .strip_prefix('[')
        .and_then(|word| word.strip_suffix(']'));
    match bare.unwrap_or(word).parse::<IpAddr>() {
        Ok(ip) => Some((ip, None)),
        Err(_) => {
            let whole: SocketAddr = word.parse().ok()?;
            Some((whole.ip(), Some(whole.port())))
        }
    }
}

pub(crate) fn not_an_address(word: &str) -> Outcome {
    Outcome::Failed(format!(
        "'{word}' is not an IP address with an optional port\n"
    ))
}

fn settings(rtp: &Rtp, counts: &MediaCounts) -> String {
    let ports: Vec<String> = counts.ports.iter().map(ToString::to_string).collect();
    let mut text = String::from("\n\nGeneral Settings:\n----------------\n");
    for (name, value) in [
        ("Port start:", rtp.ports.start().to_string()),
        ("Port end:", rtp.ports.end().to_string()),
        ("Ports in use:", ports.join(", ")),
        ("Legs:", counts.legs.to_string()),
        ("Strict RTP:", "Yes".to_owned()),
        ("Replay Protect:", "Yes".to_owned()),
        ("ICE support:", "Yes".to_owned()),
    ] {
        text.push_str(&format!("  {name:<16} {value}\n"));
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use config::Rtp;
    use expect_test::expect;
    use switch::MediaCounts;

    use super::{address, settings};

    #[test]
    fn an_address_may_have_a_port() {
        assert_eq!(address("192.0.2.1").unwrap().1, None);
        assert_eq!(address("192.0.2.1:5").unwrap().1, Some(5));
        assert_eq!(address("[::1]:5").unwrap().1, Some(5));
        assert_eq!(address("[::1]").unwrap().1, None);
        assert!(address("example.com").is_none());
    }

    #[test]
    fn settings_have_asterisks_shape() {
        let counts = MediaCounts {
            ports: vec![5000, 5001],
            ..MediaCounts::default()
        };
        expect![[r#"


            General Settings:
            ----------------
              Port start:      5000
              Port end:        31000
              Ports in use:    5000, 5001
              Legs:            0
              Strict RTP:      Yes
              Replay Protect:  Yes
              ICE support:     Yes

        "#]]
        .assert_eq(&settings(&Rtp::default(), &counts));
    }
}
