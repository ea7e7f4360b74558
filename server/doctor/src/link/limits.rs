//! What the system grants: open files, and memory for datagrams that wait.

use config::Config;
use serde_json::json;

use crate::places::Places;
use crate::report::Link;
use crate::root::Root;

/// The limit of open files of the exchange, or of this program, from which it would inherit it.
pub(crate) fn files(root: &Root, config: &Config, places: &Places<'_>, pid: Option<u32>) -> Link {
    let process = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let limits = root
        .read(&format!("/proc/{process}/limits"))
        .unwrap_or_default();
    let Some(soft) = open_files(&limits) else {
        return Link::skipped("files", format!("/proc/{process}/limits cannot be read"));
    };
    let sessions = config.http.session_limit as u64;
    let needed = sessions + FILES_BESIDES;
    let whose = match pid {
        Some(pid) => format!("of the exchange (pid {pid})"),
        None => "of this shell, which the exchange would inherit".to_owned(),
    };
    let mut link = Link::new("files", format!("{soft} open files {whose}"));
    if soft < needed {
        link.fail(
            Some(places.option("http.conf", "general", &["sessionlimit"])),
            format!(
                "{soft} open files are too few for sessionlimit={sessions} and the exchange's own \
                 {FILES_BESIDES}: connections will be refused"
            ),
            "start it by its service (LimitNOFILE=65536), or run `ulimit -n 65536` before it",
        );
    }
    link.details = json!({ "limit": soft, "needed": needed });
    link
}

/// `Max open files  1024  1048576  files`.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// Media ports, database connections, files and libraries.
const FILES_BESIDES: u64 = 128;

/// The largest receive and send buffers a socket may have.
pub(crate) fn buffers(root: &Root) -> Link {
    let (receive, send) = ("/proc/sys/net/core/rmem_max", "/proc/sys/net/core/wmem_max");
    let (Some(receive), Some(send)) = (root.number(receive), root.number(send)) else {
        return Link::skipped("buffers", "/proc/sys/net/core cannot be read");
    };
    let mut link = Link::new(
        "buffers",
        format!("net.core.rmem_max={receive}, net.core.wmem_max={send}"),
    );
    for (name, found, wanted) in [
        ("rmem_max", receive, RECEIVE_BUFFER),
        ("wmem_max", send, SEND_BUFFER),
    ] {
        if found < wanted {
            link.warn(
                None,
                format!(
                    "net.core.{name}={found} is less than the {wanted} bytes a media port asks for: bursts \
                     of packets of many calls will be lost"
                ),
                format!(
                    "write `net.core.{name} = {wanted}` into /etc/sysctl.d/60-sidetone.conf and run \
                     `sysctl --system`"
                ),
            );
        }
    }
    let lost = lost(&root.read("/proc/net/snmp").unwrap_or_default());
    if lost > 0 {
        link.note(format!(
            "since this machine started, {lost} datagrams were lost because a buffer was full"
        ));
    }
    link.details = json!({ "rmem_max": receive, "wmem_max": send, "lost": lost });
    link
}

/// `RcvbufErrors` of the two lines that begin with `Udp:`.
fn lost(snmp: &str) -> u64 {
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Udp:"));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
        return 0;
    };
    let mut pairs = names
        .split_ascii_whitespace()
        .zip(values.split_ascii_whitespace());
    let found = pairs.find(|(name, _)| *name == "RcvbufErrors");
    found.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

/// What the media plane asks for; the kernel doubles it.
const RECEIVE_BUFFER: u64 = 4 << 20;
const SEND_BUFFER: u64 = 2 << 20;

#[cfg(test)]
mod tests {
    use super::{lost, open_files};

    #[test]
    fn tables_of_the_kernel_are_read() {
        let limits = "Limit Soft Hard Units\nMax open files            64                   1048576              files\n";
        assert_eq!(open_files(limits), Some(64));
        let snmp = "Udp: InDatagrams NoPorts RcvbufErrors\nUdp: 5 0 17\n";
        assert_eq!(lost(snmp), 17);
    }
}
