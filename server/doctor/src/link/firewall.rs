//! The firewall: the lines that open what the files name, and whether one that is active blocks it.

use std::ops::RangeInclusive;

use config::Config;
use serde::Serialize;
use serde_json::json;

use crate::listeners::{Layer, Listener};
use crate::places::Places;
use crate::report::Link;
use crate::root::Root;

mod nft;

const NAME: &str = "firewall";

/// One port, or the range of media, that must be open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Opening {
    layer: Layer,
    first: u16,
    last: u16,
    what: String,
    #[serde(skip)]
    place: String,
    /// Without it no browser can call.
    #[serde(skip)]
    is_needed: bool,
}

impl Opening {
    /// `5061/tcp`, or `10000-20000/udp` with this between the two.
    fn written(&self, between: &str) -> String {
        format!("{}/{}", self.range(between), self.layer.as_str())
    }

    fn range(&self, between: &str) -> String {
        if self.first == self.last {
            self.first.to_string()
        } else {
            format!("{}{between}{}", self.first, self.last)
        }
    }
}

/// Who filters, and what it lets through.
enum Active {
    Firewalld(Vec<Allowed>),
    Ufw(Vec<Allowed>),
    Nft(nft::Ruleset),
    /// Asked, and there is nothing.
    Nothing,
    /// Cannot be asked by this user.
    Hidden,
}

/// Ports that are let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Allowed {
    /// Both if `None`.
    layer: Option<Layer>,
    first: u16,
    last: u16,
}

/// How an opening fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passage {
    Open,
    /// For some senders or interfaces.
    Some,
    Closed,
}

/// Examines the firewall and says how to open it. `media` are the ports that the exchange has taken of
/// the range in `rtp.conf`; where they cannot be seen, the whole range is opened.
pub(crate) async fn examine(
    root: &Root,
    config: &Config,
    listeners: &[Listener],
    media: &[u16],
    places: &Places<'_>,
) -> Link {
    let openings = openings(config, listeners, media, places);
    let active = active(root).await;
    let mut link = Link::new(NAME, summary(&active));
    if !media.is_empty() {
        let (first, last) = (config.rtp.ports.start(), config.rtp.ports.end());
        link.note(format!(
            "all media goes through the first free ports of rtp.conf's {first}-{last}, one for each \
             media thread"
        ));
    }
    for opening in &openings {
        let passage = active.passage(opening);
        let written = opening.written("-");
        match passage {
            Passage::Open => {}
            Passage::Some => link.note(format!(
                "{} ({written}) is open for some senders or interfaces only",
                opening.what
            )),
            Passage::Closed => {
                let sentence = format!(
                    "{} ({written}) is blocked by {}",
                    opening.what,
                    active.name()
                );
                let cure = active.cure(opening);
                let place = Some(opening.place.clone());
                if opening.is_needed {
                    link.fail(place, sentence, cure);
                } else {
                    link.warn(place, sentence, cure);
                }
            }
        }
    }
    link.commands = commands(&openings, &active);
    link.details = json!({ "active": active.name(), "openings": openings });
    link
}

fn openings(
    config: &Config,
    listeners: &[Listener],
    media: &[u16],
    places: &Places<'_>,
) -> Vec<Opening> {
    let mut openings: Vec<Opening> = Vec::new();
    let has_tls = config.http.secure_bind().is_some();
    for listener in listeners
        .iter()
        .filter(|listener| !listener.address.ip().is_loopback())
    {
        let port = listener.address.port();
        openings.push(Opening {
            layer: listener.layer,
            first: port,
            last: port,
            what: listener.what.clone(),
            place: listener.place.clone(),
            // Browsers give no camera to a page without TLS, so HTTP matters where there is no HTTPS.
            is_needed: listener.is_web && (listener.what == "HTTPS" || !has_tls),
        });
    }
    for range in media_ranges(&config.rtp.ports, media) {
        openings.push(Opening {
            layer: Layer::Udp,
            first: *range.start(),
            last: *range.end(),
            what: "media".to_owned(),
            place: places.option("rtp.conf", "general", &["rtpstart", "rtpend"]),
            is_needed: true,
        });
    }
    openings.dedup_by(|one, other| {
        (one.layer, one.first, one.last) == (other.layer, other.first, other.last)
    });
    openings
}

/// The ports in use as ranges, or else the whole of `rtp.conf`'s.
fn media_ranges(configured: &RangeInclusive<u16>, used: &[u16]) -> Vec<RangeInclusive<u16>> {
    if used.is_empty() {
        return Vec::from_iter((!configured.is_empty()).then(|| configured.clone()));
    }
    let mut ranges: Vec<RangeInclusive<u16>> = Vec::new();
    for port in used {
        match ranges.last_mut() {
            Some(range) if range.end().checked_add(1) == Some(*port) => {
                *range = *range.start()..=*port;
            }
            _ => ranges.push(*port..=*port),
        }
    }
    ranges
}

async fn active(root: &Root) -> Active {
    if let Some(told) = root.tell("firewall-cmd", &["--state"]).await
        && told.done
    {
        let told = root.tell("firewall-cmd", &["--list-all"]).await;
        return Active::Firewalld(firewalld(&told.map(|told| told.stdout).unwrap_or_default()));
    }
    if let Some(told) = root.tell("ufw", &["status"]).await
        && told.stdout.contains("Status: active")
    {
        return Active::Ufw(ufw(&told.stdout));
    }
    match root.tell("nft", &["-j", "list", "ruleset"]).await {
        Some(told) if told.done => match nft::Ruleset::parse(&told.stdout) {
            Some(rules) if rules.filters() => Active::Nft(rules),
            _ => Active::Nothing,
        },
        Some(told) if told.stderr.contains("not permitted") => Active::Hidden,
        _ => Active::Nothing,
    }
}

/// `ports: 8089/tcp 10000-20000/udp` and `services: ssh sip sips`.
fn firewalld(text: &str) -> Vec<Allowed> {
    let mut allowed = Vec::new();
    for line in text.lines().map(str::trim) {
        if line == "target: ACCEPT" {
            allowed.push(Allowed {
                layer: None,
                first: 0,
                last: u16::MAX,
            });
        }
        if let Some(ports) = line.strip_prefix("ports:") {
            allowed.extend(ports.split_ascii_whitespace().filter_map(port_of));
        }
        if let Some(services) = line.strip_prefix("services:") {
            for service in services.split_ascii_whitespace() {
                let ports: &[&str] = match service {
                    "sip" => &["5060/tcp", "5060/udp"],
                    "sips" => &["5061/tcp", "5061/udp"],
                    "http" => &["80/tcp"],
                    "https" => &["443/tcp"],
                    _ => &[],
                };
                allowed.extend(ports.iter().filter_map(|port| port_of(port)));
            }
        }
    }
    allowed
}

/// `8089/tcp  ALLOW  Anywhere`, `10000:20000/udp  ALLOW  Anywhere`, `8089  ALLOW  Anywhere`.
fn ufw(text: &str) -> Vec<Allowed> {
    let lines = text.lines().filter(|line| line.contains("ALLOW"));
    let firsts = lines.filter_map(|line| line.split_ascii_whitespace().next());
    let mut allowed: Vec<Allowed> = firsts
        .flat_map(|ports| {
            let (list, layer) = match ports.split_once('/') {
                Some((list, layer)) => (list, format!("/{layer}")),
                None => (ports, String::new()),
            };
            let ports: Vec<String> = list
                .split(',')
                .map(|port| format!("{port}{layer}"))
                .collect();
            ports
        })
        .filter_map(|port| port_of(&port))
        .collect();
    // `ufw status verbose` says so; the short form does not, so an open default is rare.
    if text.contains("Default: allow (incoming)") {
        allowed.push(Allowed {
            layer: None,
            first: 0,
            last: u16::MAX,
        });
    }
    allowed
}

/// `5060/udp`, `1-2/tcp`, `1:2/tcp`, `5060`.
fn port_of(text: &str) -> Option<Allowed> {
    let (range, layer) = match text.split_once('/') {
        Some((range, "tcp")) => (range, Some(Layer::Tcp)),
        Some((range, "udp")) => (range, Some(Layer::Udp)),
        Some(_) => return None,
        None => (text, None),
    };
    let (first, last) = range.split_once(['-', ':']).unwrap_or((range, range));
    Some(Allowed {
        layer,
        first: first.parse().ok()?,
        last: last.parse().ok()?,
    })
}

impl Active {
    fn name(&self) -> &'static str {
        match self {
            Self::Firewalld(_) => "firewalld",
            Self::Ufw(_) => "ufw",
            Self::Nft(_) => "nft",
            Self::Nothing => "nothing",
            Self::Hidden => "unknown",
        }
    }

    fn passage(&self, opening: &Opening) -> Passage {
        match self {
            Self::Firewalld(allowed) | Self::Ufw(allowed) => {
                let fits = |allowed: &Allowed| {
                    allowed.layer.is_none_or(|layer| layer == opening.layer)
                        && allowed.first <= opening.first
                        && opening.last <= allowed.last
                };
                if allowed.iter().any(fits) {
                    Passage::Open
                } else {
                    Passage::Closed
                }
            }
            // Both ends of a range stand for it.
            Self::Nft(rules) => {
                let ends =
                    [opening.first, opening.last].map(|port| rules.passage(opening.layer, port));
                match ends {
                    [Passage::Closed, _] | [_, Passage::Closed] => Passage::Closed,
                    [Passage::Some, _] | [_, Passage::Some] => Passage::Some,
                    [Passage::Open, Passage::Open] => Passage::Open,
                }
            }
            Self::Nothing | Self::Hidden => Passage::Open,
        }
    }

    /// The one line that opens it.
    fn cure(&self, opening: &Opening) -> String {
        let line = match self {
            Self::Ufw(_) => format!("ufw allow {}", opening.written(":")),
            Self::Nft(rules) => {
                nft_line(rules.chain().as_deref(), opening.layer, &opening.range("-"))
            }
            Self::Firewalld(_) | Self::Nothing | Self::Hidden => format!(
                "firewall-cmd --permanent --add-port={} && firewall-cmd --reload",
                opening.written("-")
            ),
        };
        format!("run `{line}`")
    }
}

fn summary(active: &Active) -> String {
    match active {
        Active::Firewalld(_) => "firewalld is running".to_owned(),
        Active::Ufw(_) => "ufw is active".to_owned(),
        Active::Nft(_) => "nft rules filter what comes in".to_owned(),
        Active::Nothing => {
            "no filter on this machine; one before it needs the same ports".to_owned()
        }
        Active::Hidden => {
            "only root may read the nft rules: run doctor as root to have them examined".to_owned()
        }
    }
}

fn nft_line(chain: Option<&str>, layer: Layer, ports: &str) -> String {
    let chain = chain.unwrap_or("inet filter input");
    format!(
        "nft insert rule {chain} {} dport '{{ {ports} }}' accept",
        layer.as_str()
    )
}

/// The lines for each of the three, to copy.
fn commands(openings: &[Opening], active: &Active) -> Vec<String> {
    if openings.is_empty() {
        return Vec::new();
    }
    let ports: Vec<String> = openings
        .iter()
        .map(|opening| format!("--add-port={}", opening.written("-")))
        .collect();
    let mut commands = vec![
        "# firewalld".to_owned(),
        format!("firewall-cmd --permanent {}", ports.join(" ")),
        "firewall-cmd --reload".to_owned(),
        "# ufw".to_owned(),
    ];
    commands.extend(openings.iter().map(|opening| {
        format!(
            "ufw allow {} comment 'sidetone: {}'",
            opening.written(":"),
            opening.what
        )
    }));
    commands.push("# nft".to_owned());
    let chain = match active {
        Active::Nft(rules) => rules.chain(),
        _ => None,
    };
    for layer in [Layer::Tcp, Layer::Udp] {
        let of_layer = openings.iter().filter(|opening| opening.layer == layer);
        let ports: Vec<String> = of_layer.map(|opening| opening.range("-")).collect();
        if !ports.is_empty() {
            commands.push(nft_line(chain.as_deref(), layer, &ports.join(", ")));
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::{Active, Layer, Opening, Passage, firewalld, media_ranges, ufw};

    fn opening(layer: Layer, first: u16, last: u16) -> Opening {
        Opening {
            layer,
            first,
            last,
            what: String::new(),
            place: String::new(),
            is_needed: false,
        }
    }

    #[test]
    fn firewalld_lets_ports_and_services_through() {
        let text = "public (active)\n  target: default\n  services: dhcpv6-client sip ssh\n  ports: 8089/tcp 10000-20000/udp\n";
        let active = Active::Firewalld(firewalld(text));
        let passes =
            |layer, first, last| active.passage(&opening(layer, first, last)) == Passage::Open;
        assert!(passes(Layer::Tcp, 8089, 8089) && passes(Layer::Udp, 5060, 5060));
        assert!(passes(Layer::Udp, 10_000, 20_000));
        assert!(!passes(Layer::Udp, 10_000, 20_001) && !passes(Layer::Tcp, 5061, 5061));
    }

    #[test]
    fn media_needs_the_ports_in_use_and_no_others() {
        let ranges = |used: &[u16]| media_ranges(&(5000..=31_000), used);
        assert_eq!(ranges(&[5000, 5001, 5003]), [5000..=5001, 5003..=5003]);
        assert_eq!(ranges(&[u16::MAX]), [u16::MAX..=u16::MAX]);
        assert_eq!(ranges(&[]), [5000..=31_000], "nobody can see them");
        #[expect(clippy::reversed_empty_ranges, reason = "as files may write it")]
        let nothing = media_ranges(&(2..=1), &[]);
        assert!(nothing.is_empty());
    }

    #[test]
    fn ufw_lets_ranges_and_lists_through() {
        let text = "Status: active\n\nTo    Action   From\n--    ------   ----\n8088,8089/tcp   ALLOW   Anywhere\n10000:20000/udp   ALLOW   Anywhere\n22   ALLOW   Anywhere\n";
        let active = Active::Ufw(ufw(text));
        let passes =
            |layer, first, last| active.passage(&opening(layer, first, last)) == Passage::Open;
        assert!(passes(Layer::Tcp, 8088, 8088) && passes(Layer::Tcp, 8089, 8089));
        assert!(passes(Layer::Udp, 10_000, 20_000) && passes(Layer::Tcp, 22, 22));
        assert!(!passes(Layer::Udp, 8089, 8089));
    }
}
