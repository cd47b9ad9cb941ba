//! What a machine sells, and where it lies: POST /products, /floors, /categories, /banners.

use super::account::{Account, ApiRequest};
use super::answer::{Answer, ApiError, entries, prose, text, truth, whole, word};
use super::money::{Price, price};
use super::number::{CategoryId, ProductId};
use super::status::FloorStatus;
use crate::cloud::envelope::Value as Field;
use crate::order::key::MachineNo;
use crate::order::motor::Address;
use crate::order::said::Word;
use serde_json::Value;

/// Which part of a machine is meant. The platform takes a cabinet or a driver board, never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// The platform's default: cabinet A.
    #[default]
    Main,
    /// A cabinet.
    Cabinet(Cabinet),
    /// A driver board, counted from 1.
    Board(Address),
}

/// A cabinet's letter, 'A' to 'Z'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cabinet(char);

impl Cabinet {
    /// A cabinet by its letter.
    #[must_use]
    pub const fn new(letter: char) -> Option<Cabinet> {
        if letter.is_ascii_uppercase() { Some(Cabinet(letter)) } else { None }
    }
}

impl Place {
    pub(super) fn field(self) -> Option<(&'static str, Field<'static>)> {
        match self {
            Place::Main => None,
            Place::Cabinet(Cabinet(letter)) => Some(("cabinet_name", letter.to_string().into())),
            Place::Board(address) => Some(("addr", address.get().to_string().into())),
        }
    }
}

/// Which products are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProductQuery {
    /// From 1.
    pub page: u32,
    /// Products on a page; the platform's default is 10.
    pub per_page: u32,
    /// Only these.
    pub category: Option<CategoryId>,
    /// Only those there.
    pub place: Place,
    /// Everything (`select_all`), whatever the platform would leave out otherwise.
    pub all: bool,
}

/// A category of a machine's products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Its id.
    pub id: CategoryId,
    /// What customers read.
    pub title: String,
    /// Higher comes first.
    pub sort_id: u64,
    /// Customers see it.
    pub is_visible: bool,
}

/// What is sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Good {
    /// What customers read.
    pub name: String,
    /// A sentence about it.
    pub description: String,
    /// Its picture, as a url.
    pub thumb: String,
    /// What it costs.
    pub price: Price,
    /// What it cost before.
    pub original_price: Price,
    /// The merchant's own number of it.
    pub good_no: String,
}

/// Where it lies; the platform says *channel*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// As on the machine's labels, "A21".
    pub name: String,
    /// "A".
    pub cabinet_name: String,
    /// The motor's number, "020"; 200 is the first of the second cabinet.
    pub code: String,
    /// Row, from 0.
    pub row: u64,
    /// Column, from 0.
    pub column: u64,
    /// The driver board, from 1.
    pub addr: u64,
}

/// A product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// What orders name.
    pub id: ProductId,
    /// Its category's title.
    pub category: String,
    /// What it is.
    pub good: Good,
    /// Where it lies.
    pub channel: Channel,
    /// Units that are there.
    pub current_inventory: u64,
    /// Units that fit.
    pub inventory: u64,
}

/// A page of products.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProductPage {
    /// The page.
    pub products: Vec<Product>,
    /// Products on all pages.
    pub total: u64,
    /// This page, from 1; 0 when nothing was found.
    pub current_page: u64,
    /// The last page; 0 when nothing was found.
    pub last_page: u64,
}

/// A channel with its state; the platform calls the list *floors* and may withdraw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floor {
    /// Where.
    pub channel: Channel,
    /// How it is.
    pub status: FloorStatus,
    /// What lies in it.
    pub good: Good,
    /// Units that are there.
    pub current_inventory: u64,
    /// Units that fit.
    pub inventory: u64,
}

/// A picture on the machine's screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    /// Its id.
    pub id: u64,
    /// What the platform's reviewers say, "APPROVED".
    pub status: String,
    /// Where the picture is.
    pub cover_image: String,
    /// Higher comes first.
    pub sort_id: u64,
    /// Customers see it.
    pub is_visible: bool,
    /// How often it was touched.
    pub hit_count: u64,
    /// How often it was shown.
    pub views_count: u64,
}

impl Account {
    /// Asks for a page of products: POST /products. The answer goes to [`read_products`].
    #[must_use]
    pub fn products(&self, machine_no: &MachineNo, query: &ProductQuery, timestamp_s: u64) -> ApiRequest {
        let page = [("page", query.page.to_string().into()), ("per_page", query.per_page.to_string().into())];
        let category = query.category.map(|id| ("category_id", id.to_string().into()));
        let all = query.all.then_some(("select_all", "1".into()));
        let own = page.into_iter().chain(category).chain(query.place.field()).chain(all);
        self.signed("POST", "/products", machine_no, timestamp_s, own)
    }

    /// Asks for all channels with their state: POST /floors. The answer goes to [`read_floors`].
    #[must_use]
    pub fn floors(&self, machine_no: &MachineNo, timestamp_s: u64) -> ApiRequest {
        self.signed("POST", "/floors", machine_no, timestamp_s, [])
    }

    /// Asks for the visible categories: POST /categories. The answer goes to [`read_categories`].
    #[must_use]
    pub fn categories(&self, machine_no: &MachineNo, timestamp_s: u64) -> ApiRequest {
        self.signed("POST", "/categories", machine_no, timestamp_s, [])
    }

    /// Asks for the visible banners: POST /banners. The answer goes to [`read_banners`].
    #[must_use]
    pub fn banners(&self, machine_no: &MachineNo, timestamp_s: u64) -> ApiRequest {
        self.signed("POST", "/banners", machine_no, timestamp_s, [])
    }
}

pub(super) fn category(id: CategoryId, value: &Value) -> Category {
    Category {
        id,
        title: prose(&value["title"]),
        sort_id: whole(&value["sort_id"]),
        is_visible: truth(&value["is_visible"]),
    }
}

fn good(value: &Value) -> Good {
    Good {
        name: prose(&value["name"]),
        description: prose(&value["description"]),
        thumb: prose(&value["thumb"]),
        price: price(&value["price"]),
        original_price: price(&value["original_price"]),
        good_no: word(&value["good_no"]),
    }
}

/// Nothing when it has no name: nobody could point at it.
fn channel(value: &Value) -> Option<Channel> {
    Some(Channel {
        name: Some(word(&value["name"])).filter(|name| !name.is_empty())?,
        cabinet_name: word(&value["cabinet_name"]),
        code: word(&value["code"]),
        row: whole(&value["x"]),
        column: whole(&value["y"]),
        addr: whole(&value["addr"]),
    })
}

/// Reads the answer to [`Account::products`]. Its proof is a list, in `data.data`, or as `data` when nothing was found.
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_products(status: u16, body: &[u8]) -> Result<ProductPage, ApiError> {
    let answer = Answer::read(status, body)?;
    let data = &answer.data;
    if data.as_array().is_some_and(Vec::is_empty) {
        return Ok(ProductPage::default());
    }
    let items = data["data"].as_array().ok_or_else(|| answer.no_list("data.data"))?;
    let product = |value: &Value| {
        Some(Product {
            id: ProductId::read(&value["id"])?,
            category: prose(&value["category"]["title"]),
            good: good(&value["good"]),
            channel: channel(&value["channel"])?,
            current_inventory: whole(&value["current_inventory"]),
            inventory: whole(&value["inventory"]),
        })
    };
    Ok(ProductPage {
        products: entries(Word { json: "products", zh: "种商品" }, items, product)?,
        total: whole(&data["total"]),
        current_page: whole(&data["current_page"]),
        last_page: whole(&data["last_page"]),
    })
}

/// Reads the answer to [`Account::floors`]. Its proof is a list. The page's table says `floor_status`, its example
/// `status`.
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_floors(status: u16, body: &[u8]) -> Result<Vec<Floor>, ApiError> {
    Answer::read(status, body)?.list(Word { json: "channels", zh: "个货道" }, |value| {
        let state = text(&value["floor_status"]).or_else(|| text(&value["status"])).unwrap_or_default();
        Some(Floor {
            channel: channel(&value["channel"])?,
            status: FloorStatus::parse(&state),
            good: good(&value["good"]),
            current_inventory: whole(&value["current_inventory"]),
            inventory: whole(&value["inventory"]),
        })
    })
}

/// Reads the answer to [`Account::categories`]. Its proof is a list.
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_categories(status: u16, body: &[u8]) -> Result<Vec<Category>, ApiError> {
    Answer::read(status, body)?.list(Word { json: "categories", zh: "个分类" }, |value| {
        CategoryId::read(&value["id"]).map(|id| category(id, value))
    })
}

/// Reads the answer to [`Account::banners`]. Its proof is a list.
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_banners(status: u16, body: &[u8]) -> Result<Vec<Banner>, ApiError> {
    Answer::read(status, body)?.list(Word { json: "banners", zh: "张图片" }, |value| {
        Some(Banner {
            id: Some(whole(&value["id"])).filter(|&id| id > 0)?,
            status: word(&value["status"]),
            cover_image: prose(&value["cover_image"]),
            sort_id: whole(&value["sort_id"]),
            is_visible: truth(&value["is_visible"]),
            hit_count: whole(&value["hit_count"]),
            views_count: whole(&value["views_count"]),
        })
    })
}
