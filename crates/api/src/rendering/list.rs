//! Answers that hold a list. A page is answered whole; a list without a limit is streamed, a batch of the server's at a
//! time, so that it takes the same memory however long it is.

use axum::{body::Body, extract::OriginalUri, response::Response};
use billwright_store::{
    StoreError,
    billing::lists::{DocumentBatch, DocumentBatches, Listed, Window},
    bson::RawDocument,
    json,
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{JSON, csv, unreadable};
use crate::{
    error::ApiError,
    list_params::{ListParams, Place},
    state::AppState,
};

/// How much text is handed over at a time while streaming, in bytes.
const CHUNK: usize = 64 * 1024;

const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

/// The answer to a request for a list.
pub(crate) async fn list_response(
    state: &AppState,
    headers: &HeaderMap,
    uri: &OriginalUri,
    params: ListParams,
) -> Result<Response, ApiError> {
    let format = Format::wanted(headers);
    let total = async {
        if params.count {
            state.store.count(&params.query).await.map(Some)
        } else {
            Ok(None)
        }
    };
    let (part, total) = tokio::try_join!(part(state, &params, format), total)?;
    let mut response = Response::new(part.body);
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    answer.insert(header::VARY, HeaderValue::from_static("Accept"));
    if let Some(total) = total {
        answer.insert(TOTAL_COUNT, HeaderValue::from(total));
    }
    let links = part
        .links
        .iter()
        .map(|(place, relation)| format!("<{}?{}>; rel=\"{relation}\"", uri.path(), params.elsewhere(place)));
    let links = links.collect::<Vec<_>>().join(", ");
    if !links.is_empty()
        && let Ok(links) = HeaderValue::try_from(links)
    {
        answer.insert(header::LINK, links);
    }
    Ok(response)
}

struct Part {
    body: Body,
    links: Vec<(Place, &'static str)>,
}

async fn part(state: &AppState, params: &ListParams, format: Format) -> Result<Part, StoreError> {
    let query = &params.query;
    let limit = match query.window {
        Window::Whole => None,
        Window::Page { limit, .. } | Window::After { limit, .. } => Some(limit as usize),
    };
    let mut batches = state.store.list(query, true).await?;
    let first = batches.next().await?;
    let complete = first.as_ref().is_none_or(DocumentBatch::is_last);
    let links = |more: Option<Place>| links(params.page, more);
    match limit {
        _ if complete => {
            let mut text = Writer::new(query.listed, format);
            let mut last = None;
            let mut more = None;
            if let Some(batch) = &first {
                for (document, position) in batch.documents()?.zip(0..) {
                    let document = document?;
                    if limit == Some(position) {
                        more = last.and_then(|last| place_after(params, last));
                        break;
                    }
                    text.write(document)?;
                    last = Some(document);
                }
            }
            text.end();
            Ok(Part {
                body: Body::from(text.text),
                links: links(more),
            })
        }
        None => Ok(Part {
            body: stream_of(batches, first, query.listed, format),
            links: Vec::new(),
        }),
        // A page of such large documents that the server sends it in parts: where it ends is asked for first.
        Some(_) => {
            let more = state.store.end_of_part(query).await?;
            let more = more.map(|position| match params.page {
                Some(page) => Place::Page(page + 1),
                None => Place::After(Box::new(position)),
            });
            let mut batches = state.store.list(query, false).await?;
            let first = batches.next().await?;
            Ok(Part {
                body: stream_of(batches, first, query.listed, format),
                links: links(more),
            })
        }
    }
}

/// The place of the next part: the next page where pages are counted, else after the last document.
fn place_after(params: &ListParams, last: &RawDocument) -> Option<Place> {
    match params.page {
        Some(page) => Some(Place::Page(page + 1)),
        None => params
            .query
            .position_of(last)
            .map(|position| Place::After(Box::new(position))),
    }
}

fn links(page: Option<u64>, more: Option<Place>) -> Vec<(Place, &'static str)> {
    let before = page
        .filter(|page| *page > 1)
        .map(|page| (Place::Page(page - 1), "prev"));
    more.map(|place| (place, "next")).into_iter().chain(before).collect()
}

/// Writes a list as text.
struct Writer {
    listed: Listed,
    format: Format,
    text: Vec<u8>,
    first: bool,
}

impl Writer {
    fn new(listed: Listed, format: Format) -> Self {
        let mut text = Vec::with_capacity(CHUNK);
        match format {
            Format::Json => text.push(b'['),
            Format::Csv => csv::write_head(listed, &mut text),
        }
        Self {
            listed,
            format,
            text,
            first: true,
        }
    }

    fn write(&mut self, document: &RawDocument) -> Result<(), StoreError> {
        match self.format {
            Format::Json => {
                if !std::mem::take(&mut self.first) {
                    self.text.push(b',');
                }
                json::write_document(document, &mut self.text)
            }
            Format::Csv => csv::write_document(self.listed, document, &mut self.text),
        }
        .map_err(|error| unreadable(document, &error))
    }

    fn end(&mut self) {
        if self.format == Format::Json {
            self.text.push(b']');
        }
    }
}

struct Streaming {
    batches: DocumentBatches,
    /// The batch that is being written, and how many of its documents are.
    batch: Option<(DocumentBatch, usize)>,
    writer: Writer,
    ended: bool,
}

/// A failure in mid-stream breaks the connection off, so that no client takes the beginning of a list for all of it.
fn stream_of(batches: DocumentBatches, first: Option<DocumentBatch>, listed: Listed, format: Format) -> Body {
    let streaming = Streaming {
        batches,
        batch: first.map(|batch| (batch, 0)),
        writer: Writer::new(listed, format),
        ended: false,
    };
    Body::from_stream(stream::try_unfold(streaming, |mut streaming| async move {
        let chunk = streaming.chunk().await.inspect_err(|error| {
            let error: &dyn std::error::Error = error;
            tracing::warn!(error, "a list was broken off in the middle");
        })?;
        Ok::<_, StoreError>(chunk.map(|chunk| (chunk, streaming)))
    }))
}

impl Streaming {
    async fn chunk(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        while self.writer.text.len() < CHUNK {
            let Some((batch, written)) = &mut self.batch else {
                self.writer.end();
                self.ended = true;
                break;
            };
            let mut whole = true;
            for document in batch.documents()?.skip(*written) {
                self.writer.write(document?)?;
                *written += 1;
                if self.writer.text.len() >= CHUNK {
                    whole = false;
                    break;
                }
            }
            if whole {
                self.batch = self.batches.next().await?.map(|batch| (batch, 0));
            }
        }
        let next = Vec::with_capacity(CHUNK + CHUNK / 8);
        Ok(Some(std::mem::replace(&mut self.writer.text, next).into()))
    }
}

impl Format {
    /// CSV where it is preferred over JSON; else JSON, as it always was.
    fn wanted(headers: &HeaderMap) -> Self {
        let mut csv = 0.0;
        let mut json = None;
        let mut others = 0.0;
        let ranges = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        for range in ranges {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts
                .find_map(|parameter| parameter.strip_prefix("q=")?.parse::<f32>().ok())
                .unwrap_or(1.0);
            match &*kind {
                "text/csv" => csv = quality,
                "application/json" => json = Some(quality),
                "*/*" | "application/*" => others = quality,
                _ => {}
            }
        }
        if csv > json.unwrap_or(others) || (csv > 0.0 && json.is_none() && csv >= others) {
            Self::Csv
        } else {
            Self::Json
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

#[cfg(test)]
mod tests {
    use billwright_hot_path::counted;
    use billwright_store::bson::{DateTime, RawDocumentBuf, oid::ObjectId, rawdoc};

    use super::*;

    fn billing(number: i32) -> RawDocumentBuf {
        rawdoc! {
            "_id": ObjectId::from_bytes([7; 12]),
            "userId": "customer-1",
            "billingId": number,
            "amount": 149.99,
            "billDate": DateTime::from_millis(1_764_000_000_000),
            "dueDate": DateTime::from_millis(1_766_592_000_000),
            "isPaid": number % 2 == 0,
            "service": "Internet, 100 Mbit/s",
            "createdAt": DateTime::from_millis(1_764_000_000_000),
            "updatedAt": DateTime::from_millis(1_764_000_000_000),
            "__v": 0,
        }
    }

    #[test]
    #[ignore = "counted by `cargo xtask instructions`"]
    fn hot_path_list_of_1000_billings() {
        for format in [Format::Json, Format::Csv] {
            let documents: Vec<_> = (0..1000).map(billing).collect();
            let written = counted(|| {
                let mut writer = Writer::new(Listed::Billings, format);
                for document in &documents {
                    writer.write(document).unwrap();
                }
                writer.end();
                writer.text
            });
            assert!(written.len() > 100_000);
        }
    }

    #[test]
    fn csv_is_chosen_only_where_it_is_preferred() {
        let wanted = |accept: &str| {
            Format::wanted(&HeaderMap::from_iter([(
                header::ACCEPT,
                HeaderValue::from_str(accept).unwrap(),
            )]))
        };
        for csv in [
            "text/csv",
            "text/csv, */*;q=0.1",
            "TEXT/CSV, application/json;q=0.5",
            "text/csv,*/*",
        ] {
            assert_eq!(wanted(csv), Format::Csv, "{csv}");
        }
        for json in [
            "*/*",
            "application/json",
            "application/json, text/csv;q=0.9",
            "text/html",
            "text/csv;q=0",
        ] {
            assert_eq!(wanted(json), Format::Json, "{json}");
        }
        assert_eq!(Format::wanted(&HeaderMap::new()), Format::Json);
    }
}
