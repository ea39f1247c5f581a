"""What exports call their columns."""

from rpsync_assets_tests.corpus.case import HEADER, USUAL, USUAL_OUTCOME, A, Case, Refused, Shipped

ROWS = USUAL.split("\n", 1)[1]


def _headed(header: str, encoding: str = "utf-8") -> bytes:
    return f"{header}\n{ROWS}".encode(encoding)


CASES = [
    Case("capital letters and spaces", _headed(" Store_Code , UPC , ALU , Description , QTY "), USUAL_OUTCOME),
    Case("names of Retail Pro's tables", _headed("STORE_NO,LOCAL_UPC,ALU,DESCRIPTION1,QTY"), USUAL_OUTCOME),
    Case("names of HotWax's file", _headed("facilityId,idValue,locationSeqId,comments,availableQty"), USUAL_OUTCOME),
    Case("names that people write", _headed("Store No.,UPC Code,Alu,Desc,On-Hand Qty"), USUAL_OUTCOME),
    Case(
        "names with a space that does not break, and one that is not seen",
        _headed("Store\u00a0No,\u200bUPC,ALU,Desc,Qty On Hand"),
        USUAL_OUTCOME,
    ),
    Case("the usual name goes before another one", _headed("store_code,upc,ean,description,qty"), USUAL_OUTCOME),
    Case(
        "two unusual names for the UPC",
        _headed("store_code,upca,barcode,description,qty"),
        Refused("BadFileError", ("Columns upca and barcode could both be 'upc'", "[stores.<store>.columns]")),
    ),
    Case(
        "two unusual names, and the settings say which",
        _headed("store_code,upca,barcode,description,qty"),
        USUAL_OUTCOME,
        {"columns": {"upc": "UPCA"}},
    ),
    Case(
        "the quantity twice",
        _headed("store_code,upc,qty,description,QTY"),
        Refused("BadFileError", ("Column 'qty' stands 2 times",)),
    ),
    Case("another column twice", _headed("store_code,upc,alu,alu,qty"), USUAL_OUTCOME),
    Case(
        "names of another language",
        _headed("tienda,código,alu,descripción,existencia"),
        Refused("BadFileError", ("Column 'store_code' stands 0 times", "tienda, código", "rpsync.toml")),
    ),
    Case(
        "names of another language, as the settings say, in cp1252",
        _headed("Tienda,Código,ALU,Descripción,Existencia", "cp1252"),
        USUAL_OUTCOME,
        {"columns": {"store_code": "tienda", "upc": "código", "quantity": "existencia"}},
    ),
    Case(
        "an accent written as two characters",
        _headed("tienda,co\u0301digo,alu,desc,qty"),
        USUAL_OUTCOME,
        {"columns": {"store_code": "Tienda", "upc": "Código"}},
    ),
    Case(
        "no header",
        ROWS.encode(),
        Refused("BadFileError", ("Column 'store_code' stands 0 times", f"the header is 101, {A}")),
    ),
    Case(
        "a title above the header",
        b"Inventory of March\n" + USUAL.encode(),
        Refused("BadFileError", ("the header is Inventory of March",)),
    ),
    Case("a header only", f"{HEADER}\n".encode(), Shipped(())),
    Case(
        "a header of very many names",
        _headed(",".join(f"column_{number}" for number in range(30_000))),
        Refused("BadFileError", ("Column 'store_code' stands 0 times", "and more")),
    ),
    Case(
        "a header with one name longer than any",
        _headed("x" * 200_000),
        Refused("BadFileError", ("The header cannot be read as CSV",)),
    ),
    Case(
        "an inch mark in the header",
        _headed('store_code,upc,alu,size 30",qty'),
        Refused("BadFileError", ("Line 1 has a quote inside a field",)),
    ),
    Case(
        "columns in another order, three of them", f"qty,upc,store_code\n7,{A},101\n".encode(), Shipped((("NY", A, 7),))
    ),
]
