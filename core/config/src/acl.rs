//! Lists of addresses: who may speak to the exchange.
//!
//! The rules are Asterisk's: each `permit` or `deny` is a network, the last one that holds the
//! address decides, and an address that none holds is let in. Where several lists apply, all must
//! let it in. A list that is named and not defined lets nobody in.

use crate::option::{Fault, Object, Parse, Row, row};
use crate::snapshot::Config;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// A network: an address and how many of its first bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// One `permit` or `deny`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRule {
    /// The addresses it is about.
    pub network: Network,
    /// Whether they are let in.
    pub permit: bool,
}

/// `permit` and `deny` lines in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressList {
    rules: Vec<AddressRule>,
}

/// Lists by name, and lines of one's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressLists {
    /// Names of sections of `acl.conf`.
    pub named: Vec<String>,
    /// Lines written beside them.
    pub own: AddressList,
}

/// `type=acl` of `pjsip.conf`: lists that hold for every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl {
    /// The section's name.
    pub id: String,
    /// Where requests may come from.
    pub source: AddressLists,
    /// What the hosts of Contacts may be.
    pub contact: AddressLists,
}

impl Network {
    /// `192.0.2.1`, `192.0.2.0/24`, `192.0.2.0/255.255.255.0`, `2001:db8::/32`.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, mask) = match text.split_once('/') {
            Some((address, mask)) => (address.trim(), Some(mask.trim())),
            None => (text.trim(), None),
        };
        let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
        let address: IpAddr = bare.unwrap_or(address).parse().ok()?;
        let width: u8 = if address.is_ipv4() { 32 } else { 128 };
        let bits = match mask {
            None => width,
            Some(mask) => match (mask.parse::<u8>(), mask.parse::<Ipv4Addr>()) {
                (Ok(bits), _) => bits,
                (_, Ok(mask)) if address.is_ipv4() => bits_of(mask)?,
                _ => return None,
            },
        };
        (bits <= width).then_some(Self { address, bits })
    }

    /// Its address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// How many bits of the address count.
    pub fn bits(self) -> u8 {
        self.bits
    }

    /// Whether the address lies in it. An IPv4 address in the form of IPv6 is an IPv4 address.
    pub fn contains(self, address: IpAddr) -> bool {
        let same = |ours: u128, theirs: u128, width: u32| {
            let kept = u32::from(self.bits);
            kept == 0 || (ours ^ theirs) >> (width - kept) == 0
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                same(u32::from(ours).into(), u32::from(theirs).into(), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => same(ours.into(), theirs.into(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// The bits of a mask whose ones come first.
fn bits_of(mask: Ipv4Addr) -> Option<u8> {
    let mask = u32::from(mask);
    let ones = mask.leading_ones();
    (mask.count_ones() == ones).then(|| u8::try_from(ones).unwrap_or(32))
}

/// Networks of one list.
const RULES_MAX: usize = 10_000;

impl AddressList {
    /// Whether the address is let in.
    pub fn admits(&self, address: IpAddr) -> bool {
        let holding = self
            .rules
            .iter()
            .rev()
            .find(|rule| rule.network.contains(address));
        holding.is_none_or(|rule| rule.permit)
    }

    /// The lines, in their order.
    pub fn rules(&self) -> &[AddressRule] {
        &self.rules
    }

    /// The networks of one sense, between commas.
    pub fn written(&self, permit: bool) -> String {
        let rules = self.rules.iter().filter(|rule| rule.permit == permit);
        let words: Vec<String> = rules.map(|rule| rule.network.to_string()).collect();
        words.join(",")
    }

    /// Adds the networks between commas; `!` before one turns its sense.
    pub(crate) fn add(&mut self, permit: bool, value: &str) -> Result<(), Fault> {
        for word in value
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            let (word, permit) = match word.strip_prefix('!') {
                Some(word) => (word.trim(), !permit),
                None => (word, permit),
            };
            let network = Network::parse(word);
            let network = network.ok_or_else(|| Fault::NotNetwork(word.to_owned()))?;
            if self.rules.len() >= RULES_MAX {
                return Err(Fault::TooMany(RULES_MAX));
            }
            self.rules.push(AddressRule { network, permit });
        }
        Ok(())
    }
}

impl AddressLists {
    /// Whether there is nothing to ask.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.own.rules.is_empty()
    }

    /// Adds names between commas.
    pub(crate) fn name(&mut self, value: &str) -> Result<(), Fault> {
        self.named.extend(crate::option::names(value)?);
        Ok(())
    }
}

impl Config {
    /// Whether all of the lists let the address in.
    pub fn admits(&self, lists: &AddressLists, address: IpAddr) -> bool {
        lists.own.admits(address)
            && lists.named.iter().all(|name| {
                let list = self.named_acls.get(name);
                list.is_some_and(|list| list.admits(address))
            })
    }
}

impl Object for Acl {
    const KIND: &'static str = "acl";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..Self::default()
        }
    }
}

const OPTIONS: &[Row<Acl>] = &[
    row(
        "acl",
        "",
        Parse::Own(|a, v| a.source.name(v)),
        "Sections of acl.conf that say where requests may come from; repeatable.",
    ),
    row(
        "contact_acl",
        "",
        Parse::Own(|a, v| a.contact.name(v)),
        "Sections of acl.conf that say what hosts of Contacts may be; repeatable.",
    ),
    row(
        "contact_deny",
        "",
        Parse::Own(|a, v| a.contact.own.add(false, v)),
        "Networks hosts of Contacts may not be in; repeatable, the last one that fits decides.",
    ),
    row(
        "contact_permit",
        "",
        Parse::Own(|a, v| a.contact.own.add(true, v)),
        "Networks hosts of Contacts may be in; repeatable, the last one that fits decides.",
    ),
    row(
        "deny",
        "",
        Parse::Own(|a, v| a.source.own.add(false, v)),
        "Networks requests may not come from; repeatable, the last one that fits decides.",
    ),
    row(
        "permit",
        "",
        Parse::Own(|a, v| a.source.own.add(true, v)),
        "Networks requests may come from; repeatable, the last one that fits decides.",
    ),
];

/// One section of `acl.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NamedAcl(pub(crate) AddressList);

impl Object for NamedAcl {
    const KIND: &'static str = "acl.conf";
    const OPTIONS: &'static [Row<Self>] = NAMED;

    fn named(_: &str) -> Self {
        Self::default()
    }
}

const NAMED: &[Row<NamedAcl>] = &[
    row(
        "deny",
        "",
        Parse::Own(|a, v| a.0.add(false, v)),
        "Networks that are kept out; repeatable, the last one that fits decides.",
    ),
    row(
        "permit",
        "",
        Parse::Own(|a, v| a.0.add(true, v)),
        "Networks that are let in; repeatable, the last one that fits decides.",
    ),
];

#[cfg(test)]
mod tests {
    use super::{AddressList, Network};

    #[test]
    fn the_last_network_that_holds_an_address_decides() {
        let mut list = AddressList::default();
        list.add(false, "0.0.0.0/0.0.0.0").unwrap();
        list.add(true, "192.0.2.0/24, !192.0.2.7").unwrap();
        let admits = |address: &str| list.admits(address.parse().unwrap());
        assert!(admits("192.0.2.1") && admits("::ffff:192.0.2.1"));
        assert!(!admits("192.0.2.7") && !admits("198.51.100.1"));
        assert!(admits("2001:db8::1"), "nothing is said about IPv6");
        assert!(AddressList::default().admits("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn networks_are_written_in_several_ways() {
        let holds = |network: &str, address: &str| {
            Network::parse(network).map(|network| network.contains(address.parse().unwrap()))
        };
        assert_eq!(holds("2001:db8::/32", "2001:db8:ffff::1"), Some(true));
        assert_eq!(holds("[2001:db8::1]", "2001:db8::2"), Some(false));
        assert_eq!(holds("10.0.0.0/255.128.0.0", "10.127.1.1"), Some(true));
        assert_eq!(holds("0.0.0.0/0", "203.0.113.9"), Some(true));
        for bad in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/255.0.255.0",
            "example.com",
            "::/255.0.0.0",
        ] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
