//! Who holds a port: the socket tables of `/proc/net` and the open files of every process.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use crate::listeners::Layer;
use crate::root::Root;

/// A socket that takes what comes from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) layer: Layer,
    pub(crate) address: SocketAddr,
    pub(crate) uid: u32,
    pub(crate) inode: u64,
}

/// A process that holds a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    pub(crate) program: String,
}

/// Every listening TCP socket and every unconnected UDP socket.
pub(crate) fn all(root: &Root) -> Vec<Socket> {
    let mut sockets = Vec::new();
    for (file, layer) in [
        ("/proc/net/tcp", Layer::Tcp),
        ("/proc/net/tcp6", Layer::Tcp),
        ("/proc/net/udp", Layer::Udp),
        ("/proc/net/udp6", Layer::Udp),
    ] {
        let text = root.read(file).unwrap_or_default();
        sockets.extend(text.lines().skip(1).filter_map(|line| socket(layer, line)));
    }
    sockets
}

/// `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`
fn socket(layer: Layer, line: &str) -> Option<Socket> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let state = *fields.get(3)?;
    let takes = match layer {
        Layer::Tcp => state == "0A",
        Layer::Udp => state == "07",
    };
    if !takes {
        return None;
    }
    Some(Socket {
        layer,
        address: address(fields.get(1)?)?,
        uid: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// `0100007F:1F98`: words of four bytes in the order of the machine, the port as it is read.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::new();
    for word in ip.as_bytes().chunks(8) {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let ip = match bytes.len() {
        4 => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// The holders of these sockets by inode, as far as this user may see them.
pub(crate) fn holders() -> HashMap<u64, Holder> {
    let mut found = HashMap::new();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return found;
    };
    for process in processes.filter_map(Result::ok) {
        let Some(pid) = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        for file in files.filter_map(Result::ok) {
            let Ok(target) = std::fs::read_link(file.path()) else {
                continue;
            };
            let inode = target.to_str().and_then(|target| {
                let inode = target.strip_prefix("socket:[")?.strip_suffix(']')?;
                inode.parse().ok()
            });
            if let Some(inode) = inode {
                let program = std::fs::read_to_string(process.path().join("comm"));
                let program = program.unwrap_or_default().trim().to_owned();
                found.entry(inode).or_insert(Holder { pid, program });
            }
        }
    }
    found
}

/// The UDP ports within a range that a process takes datagrams on, each once, in order.
pub(crate) fn udp_ports(root: &Root, pid: u32, range: &RangeInclusive<u16>) -> Vec<u16> {
    let holders = holders();
    let ours = all(root).into_iter().filter(|socket| {
        socket.layer == Layer::Udp
            && range.contains(&socket.address.port())
            && holders.get(&socket.inode).map(|holder| holder.pid) == Some(pid)
    });
    let ports: BTreeSet<u16> = ours.map(|socket| socket.address.port()).collect();
    ports.into_iter().collect()
}

/// Whether a socket stands in the way of listening on an address, or is what listens there.
pub(crate) fn covers(socket: &Socket, layer: Layer, wanted: SocketAddr) -> bool {
    let (held, ip) = (socket.address.ip(), wanted.ip());
    socket.layer == layer
        && socket.address.port() == wanted.port()
        && (held == ip
            || held.is_unspecified() && (held.is_ipv4() == ip.is_ipv4() || held.is_ipv6())
            || ip.is_unspecified() && ip.is_ipv4() == held.is_ipv4())
}

/// The name of a user.
pub(crate) fn user(root: &Root, uid: u32) -> String {
    let text = root.read("/etc/passwd").unwrap_or_default();
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    found.unwrap_or_else(|| format!("number {uid}"))
}

#[cfg(test)]
mod tests {
    use super::{Layer, covers, holders, socket, udp_ports};
    use crate::root::Root;
    use std::net::SocketAddr;

    #[test]
    fn lines_of_the_tables_are_read() {
        let line = "   1: 0100007F:1F98 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1";
        let found = socket(Layer::Tcp, line).unwrap();
        assert_eq!(
            found.address,
            "127.0.0.1:8088".parse::<SocketAddr>().unwrap()
        );
        assert_eq!((found.uid, found.inode), (1000, 4711));
        let line = "  12: 00000000000000000000000000000000:13C4 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 99 2";
        let found = socket(Layer::Udp, line).unwrap();
        assert_eq!(found.address, "[::]:5060".parse::<SocketAddr>().unwrap());
        let wanted = |text: &str| covers(&found, Layer::Udp, text.parse().unwrap());
        assert!(wanted("0.0.0.0:5060") && wanted("[::1]:5060"));
        assert!(!wanted("0.0.0.0:5061") && !covers(&found, Layer::Tcp, found.address));
        assert!(socket(Layer::Udp, "garbage").is_none());
    }

    #[test]
    fn the_ports_that_a_process_really_uses_are_found() {
        let [one, other] = [(), ()].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        let port = |socket: &std::net::UdpSocket| socket.local_addr().unwrap().port();
        let (one, other) = (port(&one), port(&other));
        let (first, last) = (one.min(other), one.max(other));
        let root = Root::new(None);
        let pid = std::process::id();
        let found = udp_ports(&root, pid, &(first..=last));
        assert!(found.contains(&first) && found.contains(&last), "{found:?}");
        assert!(!udp_ports(&root, pid, &(first + 1..=last)).contains(&first));
        assert_eq!(udp_ports(&root, 0, &(first..=last)), [0; 0]);
    }

    #[test]
    fn the_holder_of_a_real_port_is_found() {
        let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let root = Root::new(None);
        let address = held.local_addr().unwrap();
        let sockets = super::all(&root);
        let found = sockets.iter().find(|socket| socket.address == address);
        let holders = holders();
        assert_eq!(holders[&found.unwrap().inode].pid, std::process::id());
    }
}
