//! What a connection gets that is one too many.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// How many refusals are under way at once. Beyond that the accept loop waits, and the kernel's queue with it.
const MAX_REFUSALS: usize = 64;

/// How long a refused client has to read its answer.
const LINGER: Duration = Duration::from_secs(1);

const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 21\r\n\r\ntoo many connections\n";

/// Refuses connections with 503, a bounded number of them at a time.
#[derive(Debug)]
pub(super) struct Overload {
    refusals: Arc<Semaphore>,
}

impl Default for Overload {
    fn default() -> Self {
        Self { refusals: Arc::new(Semaphore::new(MAX_REFUSALS)) }
    }
}

impl Overload {
    pub(super) async fn refuse(&self, mut stream: TcpStream) {
        let Ok(permit) = Arc::clone(&self.refusals).acquire_owned().await else { return };
        tokio::spawn(async move {
            let _permit = permit;
            let answer = async {
                stream.write_all(ANSWER).await?;
                stream.shutdown().await?;
                // Unread bytes would turn the close into a reset, which could destroy the answer.
                let mut scratch = [0; 1024];
                for _ in 0..64 {
                    if stream.read(&mut scratch).await? == 0 {
                        break;
                    }
                }
                std::io::Result::Ok(())
            };
            let _ = tokio::time::timeout(LINGER, answer).await;
        });
    }
}
