//! What a start that cannot be says: the place of the option, or the option of the command line, that helps.

use std::net::{TcpListener, UdpSocket};
use std::process::Command;

use crate::world::{BINARY, PLAN, World};

/// The one sentence of a program that does not start.
fn refused(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    let last = said.lines().last().unwrap_or_default();
    last.strip_prefix("sidetone: ").unwrap_or(last).to_owned()
}

#[test]
fn a_busy_port_of_the_web_server_is_named_with_the_line_of_its_option() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let cases = [
        (
            format!("[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport={port}\n"),
            format!(
                "http.conf:4: HTTP needs port {port} of 127.0.0.1, but another program listens there; stop it, or \
                 change the port in `bindport`"
            ),
        ),
        (
            format!(
                "[general]\ntlsenable=yes\ntlsbindaddr=127.0.0.1:{port}\ntlscertfile=server.pem\n\
                 tlsprivatekey=server.key\n"
            ),
            format!(
                "http.conf:3: HTTPS needs port {port} of 127.0.0.1, but another program listens there; stop it, or \
                 change the port in `tlsbindaddr`"
            ),
        ),
        (
            "[general]\nenabled=yes\nbindaddr=192.0.2.1\n".to_owned(),
            "http.conf:3: HTTP cannot listen on 192.0.2.1:8088: this machine has no such address; correct it, or use \
             0.0.0.0"
                .to_owned(),
        ),
    ];
    let world = World::new("busy");
    let config = world.root().join("etc");
    let made = Command::new(BINARY)
        .args(["cert", "--dir"])
        .arg(&config)
        .output();
    assert!(made.unwrap().status.success());
    world.write("pjsip.conf", &world.pjsip(""));
    world.write("extensions.conf", PLAN);
    for (http, expected) in cases {
        world.write("http.conf", &http);
        let mut command = Command::new(BINARY);
        command.args(["run", "--config"]).arg(&config);
        command.arg("--data").arg(world.data());
        assert_eq!(refused(&mut command), expected);
    }
}

/// The demo has no file that anybody could change.
#[test]
fn a_busy_port_of_the_demo_is_named_with_its_switch() {
    let (tcp, udp) = (
        TcpListener::bind("127.0.0.1:0").unwrap(),
        UdpSocket::bind("0.0.0.0:0").unwrap(),
    );
    let tcp = tcp.local_addr().unwrap().port();
    let udp = udp.local_addr().unwrap().port();
    for (switch, port) in [
        ("--sip-port", udp),
        ("--http-port", tcp),
        ("--https-port", tcp),
    ] {
        let world = World::new(switch);
        let mut command = Command::new(BINARY);
        for other in ["--sip-port", "--http-port", "--https-port"] {
            let port = if other == switch { port } else { 0 };
            command.arg(other).arg(port.to_string());
        }
        command.arg("--data").arg(world.data());
        let said = refused(&mut command);
        assert!(
            said.contains("another program listens there; stop it, or choose another port"),
            "{said}"
        );
        assert!(said.ends_with(&format!("with {switch}")), "{said}");
        assert!(
            !said.contains("pjsip.conf") && !said.contains("bindport"),
            "{said}"
        );
    }
}
