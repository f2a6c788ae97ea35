//! The page that plays the game in a browser.

use std::borrow::Cow;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

/// The page needs nothing from elsewhere, so it may load nothing from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "assets/demo"]
struct Assets;

/// The page at `/`, and what it loads from `/assets`.
pub(super) fn router() -> Router {
    Router::new().route("/", get(async |headers: HeaderMap| asset("index.html", &headers))).route(
        "/assets/{*path}",
        get(async |Path(path): Path<String>, headers: HeaderMap| asset(&path, &headers)),
    )
}

fn asset(path: &str, request: &HeaderMap) -> Response {
    let Some(file) = Assets::get(path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let entity_tag = entity_tag(&file);
    let headers = [
        (header::CONTENT_TYPE, content_type(path)),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let known =
        request.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == entity_tag.as_bytes());
    if known {
        return (StatusCode::NOT_MODIFIED, headers, [(header::ETAG, entity_tag)]).into_response();
    }
    let body = match file.data {
        Cow::Borrowed(bytes) => axum::body::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    (headers, [(header::ETAG, entity_tag)], body).into_response()
}

fn entity_tag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;

    async fn fetch(path: &str, known: Option<&str>) -> Response {
        let mut request = Request::get(path);
        if let Some(known) = known {
            request = request.header(header::IF_NONE_MATCH, known);
        }
        router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn text(response: Response) -> String {
        String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_page_and_all_it_loads_are_served() {
        let page = fetch("/", None).await;
        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(
            page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("script-src 'self'")
        );
        let html = text(page).await;
        let loaded: Vec<&str> = html.split(['"']).filter(|part| part.starts_with("/assets/")).collect();
        assert!(loaded.len() >= 3, "icon, style and script: {loaded:?}");
        for path in loaded {
            let response = fetch(path, None).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_ne!(response.headers()[header::CONTENT_TYPE], "application/octet-stream", "{path}");
        }
    }

    #[tokio::test]
    async fn scripts_import_only_what_there_is() {
        for path in Assets::iter().filter(|path| path.ends_with(".js")) {
            let script = String::from_utf8(Assets::get(&path).unwrap().data.to_vec()).unwrap();
            for import in script.lines().filter_map(|line| line.split_once("from \"./")) {
                let name = import.1.trim_end_matches("\";");
                assert!(Assets::get(name).is_some(), "{path} imports {name}");
            }
            let addresses = script.split("://").skip(1).filter(|rest| !rest.starts_with("${"));
            assert_eq!(addresses.count(), 0, "{path} has an address of elsewhere");
        }
    }

    #[tokio::test]
    async fn a_known_version_is_not_sent_again() {
        let first = fetch("/", None).await;
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_eq!(fetch("/", Some(&tag)).await.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(fetch("/", Some("\"other\"")).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn nothing_outside_the_assets_is_served() {
        for path in ["/assets/none.js", "/assets/../Cargo.toml", "/assets/%2e%2e/%2e%2e/Cargo.toml"] {
            assert_eq!(fetch(path, None).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
