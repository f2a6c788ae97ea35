//! `negotiation.json`, `metadata.json` and `timeout.json`.

use std::time::Duration;

use grpcws_proto::handshake::Offer;
use grpcws_proto::metadata::{MetadataPolicy, RequestMetadata, parse_timeout};
use grpcws_proto::{Code, Mode, Status, message};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::{base64, each_row, hex, metadata, mode, number, text};

const ALL: &[Mode] = &[Mode::Seed, Mode::V1Json, Mode::V1Proto];

fn collect(headers: &HeaderMap, offer: &Offer) -> Result<RequestMetadata, Status> {
    RequestMetadata::collect(headers, offer, &MetadataPolicy::default())
}

#[test]
fn an_offer_selects_what_its_row_says() {
    each_row("negotiation.json", "rows", |row| {
        let name = text(row, "name");
        let lines: Vec<&[u8]> =
            row["headers"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().as_bytes()).collect();
        let offer = Offer::parse(lines);
        let selected = offer.select(ALL);
        if row.get("refused").is_some() {
            assert_eq!(number(row, "refused"), 400, "{name}");
            assert!(selected.is_err(), "{name}: {selected:?}");
            return;
        }
        let wanted = &row["selected"];
        assert_eq!(selected, Ok(mode(text(wanted, "mode"))), "{name}");
        assert_eq!(selected.unwrap().subprotocol(), wanted["echo"].as_str(), "{name}");
        compare(row, wanted, collect(&HeaderMap::new(), &offer));
    });
}

#[test]
fn the_metadata_subprotocol_is_read_as_its_row_says() {
    each_row("metadata.json", "subprotocol", |row| {
        let encoded = base64(text(row, "object").as_bytes(), *b"-_");
        let offer = Offer::parse([format!("grpcws.v1.json, grpcws.metadata.{encoded}").as_bytes()]);
        compare(row, row, collect(&HeaderMap::new(), &offer));
    });
}

#[test]
fn headers_of_the_handshake_become_the_metadata_of_their_row() {
    each_row("metadata.json", "handshake", |row| {
        let mut headers = HeaderMap::new();
        for pair in row["headers"].as_array().unwrap() {
            let name = HeaderName::try_from(pair[0].as_str().unwrap()).unwrap();
            headers.append(name, HeaderValue::try_from(pair[1].as_str().unwrap()).unwrap());
        }
        let protocols = row["protocols"].as_array().cloned().unwrap_or_default();
        let lines: Vec<&[u8]> = protocols.iter().map(|line| line.as_str().unwrap().as_bytes()).collect();
        compare(row, row, collect(&headers, &Offer::parse(lines)));
    });
}

/// Compares what was collected with the members of `wanted`, or with the row's `error`.
fn compare(row: &Value, wanted: &Value, collected: Result<RequestMetadata, Status>) {
    let name = text(row, "name");
    if row.get("error").is_some() {
        let status = collected.expect_err(name);
        assert_eq!(u64::from(status.code().number()), number(&row["error"], "code"), "{name}");
        assert_eq!(status.code(), Code::InvalidArgument, "{name}");
        return;
    }
    let mut collected = collected.expect(name);
    let authorization = collected.metadata.remove("authorization");
    assert_eq!(
        authorization.as_ref().map(HeaderValue::as_bytes),
        wanted["authorization"].as_str().map(str::as_bytes),
        "{name}"
    );
    assert_eq!(listed(&collected.metadata), listed(&metadata(&wanted["metadata"])), "{name}");
    assert_eq!(collected.timeout, wanted["grpcTimeout"].as_str().and_then(parse_timeout), "{name}");
    assert_eq!(collected.credit, wanted["credit"].as_u64(), "{name}");
}

/// All values of one name together, names in their first order.
fn listed(map: &HeaderMap) -> Vec<(String, Vec<HeaderValue>)> {
    let mut listed: Vec<_> = map
        .keys()
        .map(|name| (name.as_str().to_owned(), map.get_all(name).iter().cloned().collect::<Vec<_>>()))
        .collect();
    // The order among names carries no meaning upstream; the order among values of one name does.
    listed.sort_by(|(one, _), (other, _)| one.cmp(other));
    listed
}

#[test]
fn response_metadata_is_shown_as_its_row_says() {
    each_row("metadata.json", "outgoing", |row| {
        let (name, bytes) = (&row["name_hex_value"][0], hex(row["name_hex_value"][1].as_str().unwrap()));
        let name = name.as_str().unwrap();
        let encoded = name.ends_with("-bin") && row.get("as_sent").is_none();
        let value = if encoded { base64(&bytes, *b"+/").into_bytes() } else { bytes };
        let mut map = HeaderMap::new();
        map.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_bytes(&value).unwrap());
        let shown = format!(r#"{{"type":"headers","headers":{}}}"#, text(row, "object"));
        assert_eq!(message::headers(&map), shown, "{}", text(row, "name"));
    });
}

#[test]
fn timeouts_are_read_as_their_rows_say() {
    each_row("timeout.json", "valid", |row| {
        let nanos = u32::try_from(number(row, "nanos")).unwrap();
        let duration = Duration::new(number(row, "seconds"), nanos);
        assert_eq!(parse_timeout(text(row, "text")), Some(duration), "{}", text(row, "name"));
    });
    each_row("timeout.json", "invalid", |row| {
        assert_eq!(parse_timeout(text(row, "text")), None, "{}", text(row, "name"));
    });
}
