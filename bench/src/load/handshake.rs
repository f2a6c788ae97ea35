//! The opening handshake of HTTP/1.1, from both sides.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tungstenite::handshake::derive_accept_key;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const MAX_HEAD: usize = 16 * 1024;

/// Asks for an upgrade and returns what came behind the answer.
pub(crate) async fn request(
    stream: &mut TcpStream,
    path: &str,
    subprotocol: Option<&str>,
) -> io::Result<Vec<u8>> {
    let subprotocol =
        subprotocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: bench.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{subprotocol}\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let (head, rest) = read_head(stream).await?;
    if head.starts_with("HTTP/1.1 101") {
        return Ok(rest);
    }
    Err(io::Error::other(format!("{path}: {}", head.lines().next().unwrap_or_default())))
}

/// Answers whatever is asked with an upgrade.
pub(crate) async fn answer(stream: &mut TcpStream) -> io::Result<()> {
    let (head, _) = read_head(stream).await?;
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    });
    let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await
}

async fn read_head(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 || bytes.len() > MAX_HEAD {
            return Err(io::Error::other("no handshake"));
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
    }
}
