//! From a request to its answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::header::{HeaderMap, HeaderName, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::access::Access;
use super::workers::Workers;

/// Everything that answers need; cheap to copy.
#[derive(Clone, Debug)]
pub struct Service {
    pub access: Arc<Access>,
    pub workers: Arc<Workers>,
    pub body_limit: usize,
    pub time_limit: Duration,
}

/// An answer.
type Answer = Response<Full<Bytes>>;

impl Service {
    /// Answers a request, whatever it is.
    ///
    /// # Errors
    /// Never.
    pub async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        Ok(self.route(request).await.unwrap_or_else(Refusal::answer))
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
        self.access.host(request.headers())?;
        match (request.uri().path(), request.method()) {
            ("/healthz", &Method::GET | &Method::HEAD) => {
                Ok(json(StatusCode::OK, "{\"status\":\"ok\"}".into()))
            }
            ("/v1/pose", &Method::POST) => {
                self.access.token(request.headers())?;
                self.pose(request).await
            }
            ("/healthz", _) => Err(Refusal::method("GET, HEAD")),
            ("/v1/pose", _) => Err(Refusal::method("POST")),
            _ => Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "there are POST /v1/pose and GET /healthz",
            )),
        }
    }

    async fn pose(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
        let deadline = Instant::now() + self.time_limit;
        check_type(request.headers())?;
        let too_large = || {
            Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the photo has more than {} bytes", self.body_limit),
            )
        };
        let length = request.headers().get(CONTENT_LENGTH);
        let length: Option<u64> = length.and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length| length > self.body_limit as u64) {
            return Err(too_large());
        }
        let body = Limited::new(request.into_body(), self.body_limit).collect();
        let photo = match timeout_at(deadline, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large()),
            Ok(Err(error)) => {
                let reason = format!("the photo did not arrive whole: {error}");
                return Err(Refusal::new(StatusCode::BAD_REQUEST, reason));
            }
            Err(_) => {
                let seconds = self.time_limit.as_secs_f32();
                return Err(Refusal::new(
                    StatusCode::REQUEST_TIMEOUT,
                    format!("the photo did not arrive within {seconds} s"),
                ));
            }
        };
        if photo.is_empty() {
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "the body is empty; expected a JPEG or PNG file",
            ));
        }
        match timeout_at(deadline, self.workers.pose(photo)).await {
            Ok(line) => Ok(json(StatusCode::OK, line?)),
            Err(_) => Err(Refusal::new(
                StatusCode::GATEWAY_TIMEOUT,
                format!("no pose within {} s", self.time_limit.as_secs_f32()),
            )),
        }
    }
}

/// Forms are refused with a word; every other type may be a photo, which its content tells.
fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind.is_some_and(|kind| kind.starts_with(b"multipart/")) {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the photo itself as the body (curl --data-binary @photo.jpg), not a form",
        ));
    }
    Ok(())
}

fn json(status: StatusCode, line: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(line + "\n")));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// Why there is no pose.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    reason: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A refusal with words for people.
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Refusal {
        Refusal {
            status,
            reason: reason.into(),
            header: None,
        }
    }

    /// Not from there.
    pub fn forbidden(reason: &str) -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, reason)
    }

    /// Not without the token.
    pub fn unauthorized() -> Refusal {
        let reason = "this server wants `Authorization: Bearer TOKEN`, with its token";
        Refusal {
            header: Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            ..Refusal::new(StatusCode::UNAUTHORIZED, reason)
        }
    }

    /// Not now.
    pub fn busy() -> Refusal {
        Refusal {
            header: Some((RETRY_AFTER, HeaderValue::from_static("1"))),
            ..Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many photos are waiting",
            )
        }
    }

    fn method(allowed: &'static str) -> Refusal {
        Refusal {
            header: Some((ALLOW, HeaderValue::from_static(allowed))),
            ..Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("expected {allowed}"),
            )
        }
    }

    fn answer(self) -> Answer {
        let line = serde_json::json!({ "error": self.reason }).to_string();
        let mut answer = json(self.status, line);
        let headers = answer.headers_mut();
        headers.extend(self.header);
        // What is left of the body is not read.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        answer
    }
}
