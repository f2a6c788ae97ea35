//! `TCP_INFO` and `TCP_NOTSENT_LOWAT` of Linux.

use std::os::fd::AsFd;
use std::sync::OnceLock;

use nix::sys::socket::getsockopt;

/// The fields of the kernel's `struct tcp_info` up to those that are read here, which Linux 4.19 added last. The kernel
/// fills no more of it than it is given room for.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct TcpInfo {
    /// `tcpi_state` to the bit fields.
    states: [u8; 8],
    /// `tcpi_rto` to `tcpi_total_retrans`.
    times: [u32; 24],
    pacing_rate: u64,
    max_pacing_rate: u64,
    bytes_acked: u64,
    bytes_received: u64,
    segs_out: u32,
    segs_in: u32,
    notsent_bytes: u32,
    min_rtt: u32,
    data_segs_in: u32,
    data_segs_out: u32,
    delivery_rate: u64,
    busy_time: u64,
    rwnd_limited: u64,
    sndbuf_limited: u64,
    delivered: u32,
    delivered_ce: u32,
    bytes_sent: u64,
    bytes_retrans: u64,
}

#[derive(Debug, Clone, Copy)]
struct Info;

nix::getsockopt_impl!(
    Info,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    TcpInfo,
    nix::sys::socket::sockopt::GetStruct<TcpInfo>
);

/// Returns how many bytes of a connection the kernel has taken and the peer's TCP has not acknowledged.
///
/// `None` where the system does not tell: everywhere but on Linux 4.19 and later. It costs one system call.
pub fn outstanding(socket: &impl AsFd) -> Option<u64> {
    if !is_supported() {
        return None;
    }
    let info = getsockopt(socket, Info).ok()?;
    // A byte that was sent again counts in both.
    let sent_once = info.bytes_sent.saturating_sub(info.bytes_retrans);
    let unacknowledged = sent_once.saturating_sub(info.bytes_acked);
    Some(unacknowledged.saturating_add(u64::from(info.notsent_bytes)))
}

/// Bounds the bytes that the kernel takes for a connection before it has sent them. The bytes of one write may go
/// beyond. Without it the kernel takes as much as its send buffer holds, which grows to megabytes.
///
/// Connections that a listener accepts have the bound of the listener. Where the system has no such option, or refuses
/// it, the connection works as before.
pub fn limit_unsent(socket: &impl AsFd, bytes: u32) {
    let _ = socket2::SockRef::from(socket).set_tcp_notsent_lowat(bytes);
}

/// Whether the kernel knows all the fields; nix takes a shorter answer for a fault of the program.
fn is_supported() -> bool {
    static SUPPORTED: OnceLock<bool> = OnceLock::new();
    *SUPPORTED.get_or_init(|| {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        version(&release).is_some_and(|version| version >= (4, 19))
    })
}

/// Reads the first two numbers of `6.1.0-13-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.trim().split(|separator: char| !separator.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_kernel_is_read() {
        assert_eq!(version("6.1.0-13-amd64\n"), Some((6, 1)));
        assert_eq!(version("4.19.0"), Some((4, 19)));
        assert_eq!(version("4.4.0 gVisor"), Some((4, 4)));
        assert_eq!(version(""), None);
    }

    #[test]
    fn the_layout_is_the_kernels() {
        assert_eq!(std::mem::size_of::<TcpInfo>(), 216);
        assert_eq!(std::mem::offset_of!(TcpInfo, bytes_acked), 120);
        assert_eq!(std::mem::offset_of!(TcpInfo, notsent_bytes), 144);
        assert_eq!(std::mem::offset_of!(TcpInfo, bytes_sent), 200);
    }
}
