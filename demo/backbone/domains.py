"""The world the demo backbone knows: five kinds of office notes, their topics, and the words used for them.

Each topic has four names, one per topic vocabulary of a profile (see profiles.py), and issues: what is wrong in two or
three words (used by replies and summaries) and sentences that say so. `{n}` is a number, `{day}` a week day.
"""

TOPIC_VOCABULARIES = ("plain", "code", "number", "team")

# domain -> topics -> (names by vocabulary, [(short form, sentences...)])
DOMAINS = {
    "facilities": [
        (("plumbing", "PLB", "F1", "water crew"), [
            ("leaking sink", "The sink in room {n} has been leaking since {day}.", "Water drips from the sink on floor {n}."),
            ("blocked drain", "The drain behind the kitchen is blocked again.", "A blocked drain smells badly in room {n}."),
            ("broken tap", "The tap in the staff kitchen will not close.", "A tap on floor {n} came off in my hand."),
            ("running toilet", "The toilet on floor {n} never stops running.", "One toilet keeps flushing all night."),
            ("burst pipe", "A pipe has burst in the cellar.", "There is a burst pipe above room {n}."),
        ]),
        (("electrical", "ELC", "F2", "power crew"), [
            ("dead socket", "None of the sockets in room {n} work.", "The socket by the printer is dead."),
            ("flickering lights", "The lights on floor {n} flicker all day.", "Since {day} the hall lights keep flickering."),
            ("tripped fuse", "The fuse trips whenever we use the oven.", "A fuse tripped on {day} and we sit in the dark."),
            ("loose cable", "A loose cable hangs from the ceiling of room {n}.", "Someone may trip over the loose cable by the stairs."),
            ("stuck lift", "The lift is stuck on floor {n}.", "Our lift stopped between two floors on {day}."),
        ]),
        (("heating", "HTG", "F3", "climate crew"), [
            ("cold radiator", "The radiator in room {n} stays cold.", "Every radiator on floor {n} is cold."),
            ("noisy boiler", "The boiler has been knocking since {day}.", "A loud noise comes from the boiler."),
            ("stuffy office", "The air in office {n} is hot and stuffy.", "The office is stuffy and no window opens."),
            ("broken thermostat", "The thermostat in room {n} shows nonsense.", "Our thermostat is broken and it is boiling here."),
            ("weak fan", "The fan in the meeting room barely turns.", "The ceiling fan became very weak on {day}."),
        ]),
        (("cleaning", "CLN", "F4", "tidy crew"), [
            ("coffee stain", "There is a coffee stain on the carpet of room {n}.", "Someone left a large coffee stain by the door."),
            ("full bins", "The bins on floor {n} are full.", "Nobody has emptied the bins since {day}."),
            ("dirty windows", "The windows facing the street are very dirty.", "You cannot see through the dirty windows of room {n}."),
            ("missing soap", "There is no soap in the washroom on floor {n}.", "The soap has been missing since {day}."),
            ("broken glass", "Broken glass lies on the floor of room {n}.", "A jar fell and there is broken glass in the hall."),
        ]),
    ],
    "clinic": [
        (("orthopedics", "ORT", "C1", "bone team"), [
            ("sore knee", "Patient reports a sore knee after running {n} miles.", "The left knee has been sore since {day}."),
            ("twisted ankle", "The patient twisted an ankle on {day}.", "An ankle is swollen after a fall on the stairs."),
            ("stiff back", "His back has been stiff for {n} days.", "She cannot bend because of a stiff back."),
            ("broken wrist", "The wrist looks broken after a fall from a bike.", "Patient fell on {day} and the wrist may be broken."),
            ("shoulder pain", "Pain in the right shoulder when lifting.", "The shoulder hurts at night, for {n} weeks now."),
        ]),
        (("cardiology", "CAR", "C2", "heart team"), [
            ("chest pain", "Patient feels pain in the chest when climbing stairs.", "There was a sharp chest pain on {day}."),
            ("fast pulse", "The pulse was {n} at rest.", "Her pulse races in the evening."),
            ("high pressure", "Blood pressure has been high since {day}.", "The pressure reading was far too high again."),
            ("irregular heartbeat", "The patient notices an irregular heartbeat.", "The heartbeat skips, about {n} times an hour."),
            ("swollen legs", "Both legs are swollen in the evening.", "The legs have been swollen for {n} days."),
        ]),
        (("dermatology", "DER", "C3", "skin team"), [
            ("itchy rash", "An itchy rash appeared on the arm on {day}.", "The patient has had an itchy rash for {n} days."),
            ("dark mole", "A dark mole on the neck has grown.", "He asks about a mole that turned dark."),
            ("dry hands", "The hands are dry and cracked.", "Her hands have been very dry since {day}."),
            ("sun burn", "The back is burnt by the sun.", "A child got a bad sun burn on {day}."),
            ("acne scars", "Patient wants advice on acne scars.", "The acne left scars on both cheeks."),
        ]),
        (("pediatrics", "PED", "C4", "child team"), [
            ("baby fever", "The baby has had a fever since {day}.", "A baby of {n} months has a high fever."),
            ("ear ache", "My son of {n} years has an ear ache.", "The little girl cries because her ear hurts."),
            ("night cough", "The toddler coughs all night.", "Our daughter has had a cough at night since {day}."),
            ("growth check", "The parents ask for a growth check of their boy.", "The school wants a growth check for a child of {n}."),
            ("missed vaccine", "The infant missed a vaccine on {day}.", "One vaccine of our youngest is still missing."),
        ]),
    ],
    "bank": [
        (("cards", "CRD", "B1", "card desk"), [
            ("lost card", "I lost my card on {day}.", "My card is gone, it ends in {n}."),
            ("blocked pin", "The pin was blocked after three tries.", "My pin does not work since {day}."),
            ("expired card", "The card expired and no new one came.", "My card expired on {day}."),
            ("card limit", "Please raise the limit of my card to {n}.", "The limit on my card is too low."),
            ("swallowed card", "The machine swallowed my card on {day}.", "Machine number {n} kept my card."),
        ]),
        (("loans", "LON", "B2", "credit desk"), [
            ("mortgage offer", "We would like an offer for a mortgage.", "Is the mortgage offer of {day} still open?"),
            ("car loan", "I want to borrow {n} for a car.", "Can I repay my car loan early?"),
            ("missed instalment", "I missed an instalment on {day}.", "One instalment of my loan was not paid."),
            ("rate question", "What is the rate for a loan over {n} months?", "I do not understand the rate of my loan."),
            ("student loan", "My student loan starts on {day}.", "Our daughter needs a student loan of {n}."),
        ]),
        (("transfers", "TRF", "B3", "payment desk"), [
            ("wrong transfer", "I sent {n} to the wrong account.", "A transfer on {day} went to the wrong person."),
            ("missing payment", "A payment of {n} never arrived.", "The payment made on {day} is missing."),
            ("standing order", "Please stop my standing order.", "The standing order should run every {day}."),
            ("foreign payment", "I need to send {n} abroad.", "A foreign payment has been held since {day}."),
            ("double charge", "The shop charged me {n} twice.", "I see a double charge from {day}."),
        ]),
        (("savings", "SAV", "B4", "deposit desk"), [
            ("new deposit", "I want to open a deposit of {n}.", "How do I open a new deposit account?"),
            ("interest query", "The interest of last year looks too low.", "When is the interest on my savings paid?"),
            ("early withdrawal", "Can I withdraw {n} from my savings early?", "I need money from the deposit before {day}."),
            ("joint account", "My wife and I want a joint savings account.", "Please add my brother to the savings account."),
            ("closing account", "I want to close my savings account.", "Please close the deposit account by {day}."),
        ]),
    ],
    "shipping": [
        (("damage", "DMG", "S1", "claims dock"), [
            ("crushed box", "Box {n} arrived crushed.", "A crushed box came with the truck on {day}."),
            ("wet pallet", "The pallet was wet from the rain.", "Pallet {n} stood in water."),
            ("torn wrap", "The wrap was torn on all sides.", "Someone tore the wrap of pallet {n}."),
            ("smashed bottles", "We counted {n} smashed bottles.", "Bottles were smashed on the way."),
            ("dented drum", "One drum has a deep dent.", "Drum {n} came with a dent."),
        ]),
        (("delay", "DLY", "S2", "schedule dock"), [
            ("late truck", "The truck of {day} is still not here.", "Truck {n} is running late."),
            ("missed ferry", "The driver missed the ferry on {day}.", "We missed the ferry by {n} minutes."),
            ("road closure", "The road is closed because of snow.", "A closed road holds up {n} trucks."),
            ("long queue", "There is a long queue at the gate.", "Drivers have been in the queue for {n} hours."),
            ("port strike", "The port is on strike since {day}.", "A strike at the port stops {n} containers."),
        ]),
        (("customs", "CUS", "S3", "border dock"), [
            ("missing form", "The export form for order {n} is missing.", "The border office wants a form we do not have."),
            ("duty bill", "We got a duty bill of {n}.", "Who pays the duty bill from {day}?"),
            ("held parcel", "Customs has held parcel {n} since {day}.", "A parcel is held at the border."),
            ("wrong code", "The tariff code on order {n} is wrong.", "Customs says our tariff code is not right."),
            ("seal check", "The officer wants to check the seal of container {n}.", "A seal was broken at the border on {day}."),
        ]),
        (("pickup", "PUP", "S4", "driver dock"), [
            ("new pickup", "We have {n} boxes ready for pickup.", "Please send a van to collect our goods on {day}."),
            ("missed pickup", "Nobody came for the pickup on {day}.", "The van drove past without loading {n} parcels."),
            ("larger van", "We need a larger van for {n} crates.", "The van sent on {day} was too small."),
            ("empty crates", "Please collect {n} empty crates.", "The empty crates have been in our way since {day}."),
            ("changed address", "The address for the collection has changed.", "Collect at door {n}, the address changed."),
        ]),
    ],
    "helpdesk": [
        (("network", "NET", "H1", "cable squad"), [
            ("slow internet", "The internet is slow on floor {n}.", "Since {day} every web page loads slowly."),
            ("lost wireless", "My laptop loses the wireless signal.", "There is no wireless in room {n}."),
            ("vpn failure", "The vpn drops after {n} minutes.", "I cannot reach the vpn from home since {day}."),
            ("dead port", "Network port {n} is dead.", "The network port under my desk gives no link."),
            ("phone line", "The phone line crackles in every call.", "Line {n} gives no dial tone."),
        ]),
        (("hardware", "HRD", "H2", "device squad"), [
            ("jammed printer", "The printer jams on every page.", "Printer {n} has been jammed since {day}."),
            ("cracked screen", "My screen is cracked.", "The laptop fell on {day} and the screen cracked."),
            ("broken keyboard", "Half of my keyboard does not type.", "I spilled tea over the keyboard on {day}."),
            ("flat battery", "The battery lasts only {n} minutes.", "My battery is flat before lunch."),
            ("loud disk", "A disk in server {n} is very loud.", "The disk makes a scratching sound."),
        ]),
        (("access", "ACC", "H3", "login squad"), [
            ("forgotten password", "I forgot my password on {day}.", "My password is no longer accepted."),
            ("new starter", "A new starter needs a login by {day}.", "Please create logins for {n} new people."),
            ("locked account", "My login was locked after {n} tries.", "Our trainee is locked out of the account."),
            ("folder rights", "I cannot open the shared folder.", "Please give me rights on folder {n}."),
            ("lost badge", "I lost my door badge on {day}.", "Badge {n} does not open the door."),
        ]),
        (("software", "SFT", "H4", "program squad"), [
            ("crashing editor", "The editor crashes when I save.", "My editor has crashed {n} times since {day}."),
            ("failed update", "The update stops at {n} percent.", "The update of {day} failed."),
            ("missing licence", "The drawing program says the licence is missing.", "We need {n} more licences."),
            ("frozen mail", "The mail program is frozen.", "My mail has not loaded anything since {day}."),
            ("wrong totals", "The sheet shows wrong totals in row {n}.", "The totals in the report are wrong."),
        ]),
    ],
}

URGENCIES = [
    ["There is no hurry.", "Any time next month is fine.", "It can wait.", "Please look at it when convenient.",
     "This is not pressing at all.", "Whenever someone has a moment.", "We can live with it for now."],
    ["Please deal with it in the next few days.", "By the end of the week would be good.", "Tomorrow or the day after would suit us.",
     "We would like it sorted soon.", "Please do not leave it too long.", "Some time this week, please.", "It is starting to be a nuisance."],
    ["This is urgent.", "Please act at once.", "It cannot wait.", "We need help right now.",
     "Someone must see to it today.", "Please drop everything for this.", "Every minute counts."],
]

NOTE_FORMS = [
    "Hello, this is {name} from {site}. {issue} {urgency}",
    "Note from {site}. {issue} {urgency} Contact is {name}.",
    "{urgency} {issue} I am at {site}, ask for {name}.",
    "{issue} {urgency} Regards, {name}, {site}",
    "Caller {name}, {site}. {issue} {urgency}",
    "{site}: {issue} {urgency} Reported by {name}.",
    "Good morning. {issue} {urgency} You find me at {site}. Thanks, {name}.",
    "{name} at {site} writes: {urgency} {issue}",
]

ASIDES = ["The same thing happened last spring.", "Sorry to bother you again.", "I also left a message on the phone.",
          "My colleague can tell you more.", "Thank you for your patience.", "I did not find the right form."]

SITE_FIRST = ["North", "South", "East", "West", "River", "Mill", "Park", "Harbour", "Station", "Garden", "Castle", "Bridge"]
SITE_SECOND = ["Hall", "House", "Court", "Gate", "Row", "Yard", "Point", "Lane"]

NAMES = ["Dana", "Omar", "Lucia", "Peter", "Aisha", "Jonas", "Mei", "Carlos", "Ruth", "Ivan", "Nadia", "Tom", "Priya", "Felix",
         "Greta", "Samuel", "Yuki", "Anna", "Bruno", "Clara", "David", "Elena", "Farid", "Hanna", "Igor", "Julia", "Kofi", "Laura",
         "Marco", "Nora", "Oscar", "Paula", "Rosa", "Stefan", "Tara", "Victor", "Wanda", "Zoe", "Leo", "Maya"]

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
