//! Faults of the machine.

use std::fs::File;
use std::net::{TcpListener, UdpSocket};
use std::time::{Duration, SystemTime};

use crate::patient::Patient;

#[test]
fn ports_held_by_another_program_are_named_with_it() {
    let patient = Patient::new();
    let _tcp = TcpListener::bind(("127.0.0.1", patient.https)).unwrap();
    let _udp = UdpSocket::bind(("127.0.0.1", patient.sip)).unwrap();
    let verdict = patient.examine();
    let who = format!("(pid {})", std::process::id());
    let cure = "stop it, or choose another port";
    verdict.fails("ports", "http.conf:6", &who, cure);
    verdict.fails("ports", "pjsip.conf:21", &who, cure);
    assert_eq!(verdict.outcome("exchange"), "skipped");
    assert_eq!(
        verdict.summary("call"),
        "because a port it needs is not free"
    );
}

#[test]
fn an_address_of_another_machine_is_named() {
    let patient = Patient::new();
    patient.edit("http.conf", "bindaddr=127.0.0.1", "bindaddr=203.0.113.9");
    let verdict = patient.examine();
    verdict.fails(
        "ports",
        "http.conf:4",
        "no interface of this machine has the address 203.0.113.9",
        "write 0.0.0.0",
    );
}

#[test]
fn too_few_open_files_are_named() {
    let patient = Patient::new();
    let verdict = patient.examine_after("ulimit -n 100");
    verdict.fails(
        "files",
        "http.conf:1",
        "100 open files are too few for sessionlimit=100",
        "LimitNOFILE=65536",
    );
}

#[test]
fn small_buffers_are_named_with_the_line_for_sysctl() {
    let patient = Patient::new();
    patient.system("/proc/sys/net/core/rmem_max", "212992\n");
    patient.system("/proc/sys/net/core/wmem_max", "4194304\n");
    let verdict = patient.examine();
    verdict.warns(
        "buffers",
        "",
        "net.core.rmem_max=212992 is less than",
        "net.core.rmem_max = 4194304",
    );
    assert_eq!(verdict.code, 0, "a warning is no failure");
}

#[test]
fn a_clock_that_nobody_keeps_or_that_is_wrong_is_named() {
    let patient = Patient::new();
    patient.program("timedatectl", "echo no");
    patient.examine().warns(
        "clock",
        "",
        "the clock is not synchronised",
        "timedatectl set-ntp true",
    );
    let future = SystemTime::now() + Duration::from_secs(100 * 3600);
    let file = File::options()
        .append(true)
        .open(patient.etc("http.conf"))
        .unwrap();
    file.set_modified(future).unwrap();
    patient
        .examine()
        .fails("clock", "", "hours in the future", "set the clock");
}

const RULES: &str = r#"cat <<'END'
{"nftables": [{"chain": {"family": "inet", "table": "filter", "name": "input", "handle": 1, "type": "filter",
 "hook": "input", "prio": 0, "policy": "drop"}}, {"rule": {"family": "inet", "table": "filter",
 "chain": "input", "handle": 2, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp",
 "field": "dport"}}, "right": 22}}, {"accept": null}]}}]}
END"#;

#[test]
fn a_firewall_that_blocks_is_named_with_the_line_that_opens_it() {
    let patient = Patient::new();
    patient.edit("http.conf", "tlsbindaddr=127.0.0.1", "tlsbindaddr=0.0.0.0");
    let https = patient.https;
    patient.program("nft", RULES);
    let line = format!("nft insert rule inet filter input tcp dport '{{ {https} }}' accept");
    let verdict = patient.examine();
    verdict.fails(
        "firewall",
        "http.conf:6",
        &format!("HTTPS ({https}/tcp) is blocked by nft"),
        &line,
    );
    verdict.fails("firewall", "rtp.conf:3", "is blocked by nft", "udp dport");
    let closed = "echo 'Status: active'; echo '22/tcp ALLOW Anywhere'";
    patient.program("ufw", closed);
    let line = format!("ufw allow {https}/tcp");
    patient
        .examine()
        .fails("firewall", "http.conf:6", "is blocked by ufw", &line);
    patient.program(
        "firewall-cmd",
        "echo running; echo '  services: ssh'; echo '  ports: '",
    );
    let line = format!("firewall-cmd --permanent --add-port={https}/tcp && firewall-cmd --reload");
    patient
        .examine()
        .fails("firewall", "http.conf:6", "is blocked by firewalld", &line);
    let (first, last) = (patient.rtp, patient.rtp + 200);
    let open = format!("echo running; echo '  ports: {https}/tcp {first}-{last}/udp'");
    patient.program("firewall-cmd", &open);
    assert_eq!(patient.examine().outcome("firewall"), "ok");
}

#[test]
fn what_selinux_denied_is_named_with_its_contexts() {
    let patient = Patient::new();
    patient.system("/sys/fs/selinux/enforce", "1");
    let denied = |permission: &str, rest: &str| {
        format!(
            "type=AVC msg=audit(1.2:3): avc:  denied  {{ {permission} }} for  pid=7 comm=\"sidetone\" {rest} permissive=0\n"
        )
    };
    let port = denied(
        "name_bind",
        "src=8089 scontext=system_u:system_r:init_t:s0 tcontext=system_u:object_r:unreserved_port_t:s0 tclass=tcp_socket",
    );
    let file = denied(
        "read",
        "path=\"/home/asterisk/certs/self-signed.key\" dev=\"vda1\" ino=5 scontext=system_u:system_r:init_t:s0 tcontext=system_u:object_r:user_home_t:s0 tclass=file",
    );
    patient.system("/var/log/audit/audit.log", &format!("{port}{file}"));
    let verdict = patient.examine();
    verdict.fails(
        "selinux",
        "",
        "denied name_bind on tcp_socket 8089 to the domain init_t: its type is unreserved_port_t",
        "semanage port -a -t sip_port_t -p tcp 8089",
    );
    verdict.fails(
        "selinux",
        "",
        "its type is user_home_t",
        "semanage fcontext -a -t cert_t '/home/asterisk/certs/self-signed.key'",
    );
}
