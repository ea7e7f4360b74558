//! Files of a folder at `/static`.

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use web::{Options, Redirect, Restriction, Server, Site};

use crate::support::{Folder, ask, get, header, plain, start_with, status};

fn serve(folder: &Folder, site: Site) -> (Server, SocketAddr) {
    start_with(Options {
        listeners: vec![plain()],
        site: Site {
            static_folder: Some(folder.0.clone()),
            ..site
        },
        ..Options::default()
    })
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn a_web_phone_is_served_from_its_folder() {
    let folder = Folder::new("static");
    folder.write("phone/index.html", "<!doctype html>phone");
    folder.write("phone/js/app.mjs", "export {}");
    folder.write("phone/codec.wasm", "\0asm");
    folder.write("phone/ring tone.wav", "RIFF");
    folder.write("phone/strange.xyz1", "?");
    let site = Site {
        redirects: vec![Redirect {
            from: "/phone".to_owned(),
            to: "/static/phone/index.html".to_owned(),
        }],
        ..Site::default()
    };
    let (_server, address) = serve(&folder, site);
    let answer = get(address, "/phone", "").await;
    assert_eq!(
        header(&answer, "location"),
        Some("/static/phone/index.html")
    );
    let answer = get(address, "/static/phone/index.html", "").await;
    assert_eq!(
        (status(&answer), body(&answer)),
        (200, "<!doctype html>phone")
    );
    // A page of others runs what it likes: no policy of ours but this.
    assert_eq!(header(&answer, "content-security-policy"), None);
    assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"));
    for (path, kind) in [
        ("/static/phone/", "text/html; charset=utf-8"),
        ("/static/phone/js/app.mjs", "text/javascript; charset=utf-8"),
        ("/static/phone/codec.wasm", "application/wasm"),
        ("/static/phone/ring%20tone.wav", "audio/wav"),
        ("/static/phone/strange.xyz1", "application/octet-stream"),
    ] {
        let answer = get(address, path, "").await;
        assert_eq!(status(&answer), 200, "{path}");
        assert_eq!(header(&answer, "content-type"), Some(kind), "{path}");
    }
    let answer = get(address, "/static/phone", "").await;
    assert_eq!(status(&answer), 301);
    assert_eq!(header(&answer, "location"), Some("/static/phone/"));
    for path in [
        "/static",
        "/static/",
        "/static/phone/js/",
        "/static/none",
        "/staticx",
    ] {
        let found = status(&get(address, path, "").await);
        assert!(
            matches!(found, 404 | 301),
            "{path} {found}: folders are not listed"
        );
    }
    let request = "POST /static/phone/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(status(&ask(address, request).await), 405);
}

#[tokio::test]
async fn nothing_outside_the_folder_and_no_dot_files() {
    let outside = Folder::new("outside");
    outside.write("secret", "secret");
    let folder = Folder::new("inside");
    folder.write(".git/config", "secret");
    folder.write("a/.env", "secret");
    folder.write("a/b", "public");
    symlink(outside.0.join("secret"), folder.0.join("link")).unwrap();
    symlink(&outside.0, folder.0.join("folder")).unwrap();
    symlink("/", folder.0.join("root")).unwrap();
    let (_server, address) = serve(&folder, Site::default());
    assert_eq!(body(&get(address, "/static/a/b", "").await), "public");
    let secret = outside.0.join("secret");
    let absolute = format!("/static/{}", secret.display());
    for path in [
        "/static/.git/config",
        "/static/.git/",
        "/static/%2egit/config",
        "/static/a/.env",
        "/static/a/%2eenv",
        "/static/../outside/secret",
        "/static/a/../../secret",
        "/static/%2e%2e/secret",
        "/static/..%2f..%2fsecret",
        "/static/a/..%5c..%5csecret",
        "/static//a/b",
        "/static/./a/b",
        "/static/link",
        "/static/folder/secret",
        "/static/root/etc/passwd",
        "/static/a/b/",
        "/static/a/b%00.html",
        "/static/%ff",
        absolute.as_str(),
        "/static/%2fetc%2fpasswd",
    ] {
        let answer = get(address, path, "").await;
        assert!(matches!(status(&answer), 400 | 404), "{path}: {answer}");
        assert!(
            !answer.contains("secret\r\n") && !body(&answer).contains("secret"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn copies_are_validated_and_parts_are_sent() {
    let folder = Folder::new("ranges");
    let path = folder.write("ten.bin", "0123456789");
    let (_server, address) = serve(&folder, Site::default());
    let answer = get(address, "/static/ten.bin", "").await;
    let etag = header(&answer, "etag").unwrap().to_owned();
    let modified = header(&answer, "last-modified").unwrap().to_owned();
    assert_eq!(header(&answer, "cache-control"), Some("no-cache"));
    let asked = async |headers: String| {
        let answer = get(address, "/static/ten.bin", &headers).await;
        (status(&answer), body(&answer).to_owned())
    };
    let nothing = (304, String::new());
    assert_eq!(
        asked(format!("If-None-Match: \"x\", {etag}\r\n")).await,
        nothing
    );
    assert_eq!(
        asked(format!("If-Modified-Since: {modified}\r\n")).await,
        nothing
    );
    let both = format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {modified}\r\n");
    assert_eq!(
        asked(both).await.0,
        200,
        "the tag counts more than the date"
    );
    assert_eq!(
        asked("Range: bytes=2-4\r\n".to_owned()).await,
        (206, "234".to_owned())
    );
    assert_eq!(
        asked("Range: bytes=-2\r\n".to_owned()).await,
        (206, "89".to_owned())
    );
    assert_eq!(asked("Range: bytes=0-1,4-5\r\n".to_owned()).await.0, 200);
    let stale = "Range: bytes=2-4\r\nIf-Range: \"x\"\r\n";
    assert_eq!(asked(stale.to_owned()).await.0, 200);
    let fresh = format!("Range: bytes=2-4\r\nIf-Range: {etag}\r\n");
    assert_eq!(asked(fresh).await.0, 206);
    let answer = get(address, "/static/ten.bin", "Range: bytes=10-\r\n").await;
    assert_eq!(status(&answer), 416);
    assert_eq!(header(&answer, "content-range"), Some("bytes */10"));
    let answer = get(address, "/static/ten.bin", "Range: bytes=8-\r\n").await;
    assert_eq!(header(&answer, "content-range"), Some("bytes 8-9/10"));
    let request = "HEAD /static/ten.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = ask(address, request).await;
    assert_eq!(
        (header(&answer, "content-length"), body(&answer)),
        (Some("10"), "")
    );
    std::fs::write(path, "012345678").unwrap();
    assert_eq!(asked(format!("If-None-Match: {etag}\r\n")).await.0, 200);
}

#[tokio::test]
async fn texts_are_sent_compressed() {
    let folder = Folder::new("compressed");
    let text = "call me back; ".repeat(1_000);
    folder.write("app.js", &text);
    folder.write("made.js", &text);
    folder.write("made.js.br", "made beforehand");
    folder.write("picture.png", &text);
    let (_server, address) = serve(&folder, Site::default());
    let accept = "Accept-Encoding: gzip, br\r\n";
    let answer = get(address, "/static/app.js", accept).await;
    assert_eq!(header(&answer, "content-encoding"), Some("br"));
    assert_eq!(header(&answer, "vary"), Some("Accept-Encoding"));
    assert!(
        header(&answer, "content-length")
            .unwrap()
            .parse::<usize>()
            .unwrap()
            < 1_000
    );
    let compressed = header(&answer, "etag").unwrap().to_owned();
    let known = format!("{accept}If-None-Match: {compressed}\r\n");
    let again = get(address, "/static/app.js", &known);
    assert_eq!(status(&again.await), 304);
    let answer = get(address, "/static/app.js", "").await;
    assert_eq!(
        (header(&answer, "content-encoding"), body(&answer)),
        (None, text.as_str())
    );
    assert_ne!(header(&answer, "etag"), Some(compressed.as_str()));
    let answer = get(address, "/static/made.js", accept).await;
    assert_eq!(body(&answer), "made beforehand");
    let answer = get(address, "/static/made.js", "Accept-Encoding: gzip\r\n").await;
    assert_eq!(header(&answer, "content-encoding"), Some("gzip"));
    let answer = get(address, "/static/picture.png", accept).await;
    assert_eq!(
        (header(&answer, "content-encoding"), header(&answer, "vary")),
        (None, None)
    );
    let answer = get(
        address,
        "/static/app.js",
        &format!("{accept}Range: bytes=0-3\r\n"),
    )
    .await;
    assert_eq!((status(&answer), body(&answer)), (206, "call"));
}

#[tokio::test]
async fn the_prefix_and_the_restrictions_hold() {
    let folder = Folder::new("prefix");
    folder.write("a.txt", "a");
    let site = Site {
        prefix: "/pbx".to_owned(),
        status_page: true,
        redirects: vec![Redirect {
            from: "/<b>".to_owned(),
            to: "/pbx/".to_owned(),
        }],
        restrictions: vec![Restriction {
            path: "/static".to_owned(),
            allows: Arc::new(|address| !address.is_loopback()),
        }],
        ..Site::default()
    };
    let (_server, address) = serve(&folder, site);
    for (path, expected) in [
        ("/ws", 404),
        ("/pbx/ws", 426),
        ("/pbxx/ws", 404),
        ("/pbx", 301),
        ("/pbx/", 200),
        ("/pbx/healthz", 404),
        ("/healthz", 200),
        ("/pbx/static/a.txt", 403),
        ("/pbx/%73tatic/a.txt", 403),
        ("/httpstatus", 404),
        ("/pbx/httpstatus", 200),
    ] {
        assert_eq!(status(&get(address, path, "").await), expected, "{path}");
    }
    let page = get(address, "/pbx/httpstatus", "").await;
    assert!(
        page.contains(&address.to_string()) && page.contains("/pbx/ws"),
        "{page}"
    );
    assert!(
        page.contains("&lt;b&gt;") && !page.contains("<b>"),
        "{page}"
    );
    let page = get(address, "/pbx/httpstatus", "Accept-Language: ru\r\n").await;
    assert!(page.contains("Состояние HTTP-сервера"), "{page}");
}

#[tokio::test]
async fn bodies_nobody_takes_are_not_read() {
    let folder = Folder::new("bodies");
    let (_server, address) = serve(&folder, Site::default());
    let request = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n";
    assert_eq!(status(&ask(address, request).await), 413);
}
