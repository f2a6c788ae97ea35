//! What a call may come to, by the promises of PROTOCOL §12.

use crate::ask::{Ask, Method};
use crate::client::view::View;

/// What is known of a call besides what its client saw.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known<'a> {
    /// The client stayed to the end, and nothing between it and the gateway was broken.
    pub(crate) undisturbed: bool,
    /// The statuses besides the one asked for that the call may end with if it was undisturbed.
    pub(crate) others: &'a [i32],
    /// A whole `end_send`, or the one request of a method that takes one, left the client.
    pub(crate) ended: bool,
    /// The client sent `cancel` in seed mode: no terminal message then.
    pub(crate) silent_cancel: bool,
}

/// What is wrong with a call; nothing if all promises were kept.
pub(crate) fn faults(ask: &Ask, view: &View, known: Known<'_>) -> Vec<String> {
    let mut faults = view.faults.clone();
    if view.terminal.as_ref().is_some_and(|terminal| terminal.code == 0) {
        success(ask, view, known, &mut faults);
    }
    if let (Some(terminal), Some((code, _))) = (&view.terminal, &view.close)
        && !closes_with(terminal.code, *code)
    {
        faults.push(format!("close code {code} behind status {}", terminal.code));
    }
    if known.undisturbed {
        undisturbed(ask, view, known, &mut faults);
    }
    faults
}

/// P2 and P4: success only if everything came.
fn success(ask: &Ask, view: &View, known: Known<'_>, faults: &mut Vec<String>) {
    if view.messages != ask.responses() {
        faults.push(format!("stream_end behind {} of {} messages", view.messages, ask.responses()));
    }
    if ask.fail != 0 {
        faults.push(format!("stream_end in place of status {}", ask.fail));
    }
    if !known.ended {
        faults.push("stream_end although the client had not sent everything".to_owned());
    }
    if ask.metadata && !view.has_metadata() {
        faults.push("stream_end without the header and the trailer that the upstream sent".to_owned());
    }
    if ask.method == Method::ClientStream
        && let Some(summary) = &view.summary
    {
        let (count, payload) = (i64::from(ask.count), crate::ask::pattern(ask.payload));
        let mut checksum = crc32fast::Hasher::new();
        (0..ask.count).for_each(|_| checksum.update(&payload));
        let intact = summary.messages == count
            && summary.bytes == count * i64::from(ask.payload)
            && summary.checksum == checksum.finalize()
            && (summary.in_order || count == 0);
        if !intact {
            faults.push(format!("the upstream read {summary:?}, {count} × {} bytes were sent", ask.payload));
        }
    }
}

/// P3 and P6: one outcome, and an honest one.
fn undisturbed(ask: &Ask, view: &View, known: Known<'_>, faults: &mut Vec<String>) {
    match view.status {
        Some(101 | 200) => {}
        // A call that the gateway refuses as such, in seed mode, has its status in HTTP.
        Some(503) if known.others.contains(&14) => return,
        status => return faults.push(format!("the handshake got {status:?}: {}", view.shown())),
    }
    if view.close.is_none() {
        return faults.push(format!("no close frame: {}", view.shown()));
    }
    if view.terminal.is_none() {
        if !known.silent_cancel {
            faults.push(format!("no terminal message: {}", view.shown()));
        }
        return;
    }
    let code = view.code();
    if code != ask.fail && !known.others.contains(&code) {
        faults.push(format!("status {code} in place of {}: {}", ask.fail, view.shown()));
    }
    if code == ask.fail && ask.fail != 0 && known.others.is_empty() && view.messages != ask.responses() {
        faults.push(format!("the upstream's status behind {}", view.shown()));
    }
}

/// Whether a close code fits the status before it (PROTOCOL §6.1).
fn closes_with(status: i32, code: u16) -> bool {
    match code {
        1000 => status == 0 || status == 1,
        1003 => status == 3,
        1008 | 1009 => status == 8,
        1011 => status == 13,
        1012 | 4408 => status == 14,
        code => status != 0 && i32::from(code) == 4000 + status,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::ask::Mode;
    use crate::client::frame::{CLOSE, Heard, TEXT};

    fn ask() -> Ask {
        Ask { count: 2, first: 7, ..Ask::new(Mode::Json, Method::ServerStream, "") }
    }

    fn seen(texts: &[&'static str], close: Option<u16>) -> View {
        let mut view = View::new(&ask());
        view.note(Heard::Head(101));
        view.note(Heard::Frame(TEXT, Bytes::from_static(br#"{"type":"open"}"#)));
        for text in texts {
            view.note(Heard::Frame(TEXT, Bytes::from_static(text.as_bytes())));
        }
        if let Some(code) = close {
            view.note(Heard::Frame(CLOSE, Bytes::copy_from_slice(&code.to_be_bytes())));
        }
        view
    }

    const ONE: &str = r#"{"type":"data","data":{"sequence":"7"}}"#;
    const TWO: &str = r#"{"type":"data","data":{"sequence":"8"}}"#;
    const END: &str = r#"{"type":"stream_end"}"#;
    const LOST: &str = r#"{"type":"error","error":"x","code":14}"#;
    const STAYED: Known<'_> = Known { undisturbed: true, others: &[], ended: true, silent_cancel: false };

    fn number(texts: &[&'static str], close: Option<u16>, known: Known<'_>) -> usize {
        faults(&ask(), &seen(texts, close), known).len()
    }

    #[test]
    fn a_complete_stream_has_no_fault() {
        assert_eq!(number(&[ONE, TWO, END], Some(1000), STAYED), 0);
    }

    #[test]
    fn whatever_breaks_a_promise_is_a_fault() {
        for (texts, close) in [
            (&[ONE, END][..], Some(1000)),
            (&[TWO, ONE, END], Some(1000)),
            (&[ONE, ONE, TWO, END], Some(1000)),
            (&[ONE, TWO, END, END], Some(1000)),
            (&[ONE, TWO, END, TWO], Some(1000)),
            (&[ONE, TWO, END], Some(4014)),
            (&[ONE, TWO, END], None),
            (&[ONE, TWO], Some(1000)),
            (&[ONE, TWO], None),
            (&[ONE, LOST], Some(4014)),
        ] {
            assert_ne!(number(texts, close, STAYED), 0, "{texts:?} {close:?}");
        }
    }

    #[test]
    fn a_broken_path_excuses_a_missing_end_and_no_false_one() {
        let broken = Known { undisturbed: false, ..STAYED };
        assert_eq!(number(&[ONE], None, broken), 0);
        assert_ne!(number(&[ONE, END], None, broken), 0);
        assert_ne!(number(&[ONE, TWO, END], None, Known { ended: false, ..broken }), 0);
    }

    #[test]
    fn a_lost_upstream_is_allowed_where_it_can_be_lost() {
        assert_eq!(number(&[ONE, LOST], Some(4014), Known { others: &[14], ..STAYED }), 0);
    }
}
