/** A name in its own script, and the way its bearer would write it in an e-mail address. */
export interface SampleName {
  written: string;
  inMail: string;
}

/** What people of one country look like. Patterns are for `Random.fill`: `#` is a digit, `@` a letter. */
export interface SampleCountry {
  code: string;
  first: readonly SampleName[];
  last: readonly SampleName[];
  /** Most of the world writes the given name first. */
  familyNameFirst: boolean;
  streets: readonly string[];
  numberBeforeStreet: boolean;
  cities: readonly string[];
  postcode: string;
  /** Numbers that no one can have: ranges kept for fiction, or area codes not handed out. */
  phone: string;
  /** Digits of an account number after the check digits; absent where there are no IBANs. */
  ibanDigits?: number;
}

/** Top-level domain `.example` is reserved (RFC 2606): mail to these addresses reaches no one. */
export const MAIL_DOMAINS = [
  'postkasten.example',
  'fjordmail.example',
  'brightpost.example',
  'mail.hafenstadt.example',
  'letterbox.example',
  'briefduif.example',
  'familiemail.example',
] as const;

/** `Γιώργος=giorgos` tells both forms; a name without `=` loses its accents and spaces in the address. */
function names(list: string): SampleName[] {
  return list.split(', ').map((entry) => {
    const [written = '', inMail] = entry.split('=');
    return { written, inMail: inMail ?? foldToAscii(written) };
  });
}

function foldToAscii(name: string): string {
  return name
    .toLowerCase()
    .normalize('NFD')
    .replace(/ł/g, 'l')
    .replace(/ß/g, 'ss')
    .replace(/[^a-z'-]/g, '');
}

/** The countries of the sample's customers; the home market comes first. */
export const SAMPLE_COUNTRIES: readonly SampleCountry[] = [
  {
    code: 'GB',
    first: names(
      "Sinéad, Oliver, Amelia, Callum, Niamh, Harriet, Rhys, Isla, D'Arcy, Eleanor, Femi, Gareth, Imogen, Kwame, Poppy, Tariq, Una, Winifred",
    ),
    last: names(
      "O'Brien, O'Connor, Ashworth, Blackwood, Carmichael, Davies, Fairweather, Hargreaves, Kavanagh, Llewellyn, MacLeod, N'Dour, Okafor, Pemberton, Quigley, Rutherford, Thistlewood, Whitaker",
    ),
    familyNameFirst: false,
    streets: [
      'High Street',
      'Station Road',
      "St John's Lane",
      'Mill Lane',
      'Victoria Terrace',
      "King's Parade",
      'Orchard Close',
    ],
    numberBeforeStreet: true,
    cities: ['Leeds', 'Bristol', 'Cardiff', 'Glasgow', 'Norwich', "King's Lynn", 'Belfast'],
    postcode: '@@# #@@',
    phone: '+44 7700 900###',
  },
  {
    code: 'DE',
    first: names(
      'Jürgen, Anneliese, Björn, Friederike, Götz, Heike, Jörg, Käthe, Lüder, Mareike, Nele, Rüdiger, Sönke, Ulrike, Wiebke',
    ),
    last: names(
      'Müller, Schäfer, Weiß, Größe, Böttcher, Krüger, Lütjens, Petersen, Rößler, Steinhauer, Tönnies, Vogelsang, von der Heide, Zimmermann',
    ),
    familyNameFirst: false,
    streets: [
      'Hauptstraße',
      'Am Mühlbach',
      'Lindenallee',
      'Schulweg',
      'Kirchgasse',
      'Bahnhofstraße',
      'An der Brücke',
    ],
    numberBeforeStreet: false,
    cities: ['Köln', 'München', 'Lübeck', 'Düsseldorf', 'Halle (Saale)', 'Göttingen'],
    postcode: '#####',
    phone: '+49 171 39200##',
    ibanDigits: 18,
  },
  {
    code: 'FR',
    first: names(
      'Amélie, Benoît, Chloé, Désirée, Étienne, François, Gaël, Hélène, Jean-Noël, Loïc, Maëlle, Océane, Zoé',
    ),
    last: names(
      "D'Aubigny, L'Hermite, Beaumont, Châtelain, Delacroix, Fèvre, Garçon, Lefèbvre, Marchand, Noël, Peltier, Rousselle, Saint-Exans",
    ),
    familyNameFirst: false,
    streets: [
      'rue de la République',
      "rue de l'Église",
      'avenue des Tilleuls',
      "place d'Armes",
      'impasse du Moulin',
      'quai Saint-Michel',
    ],
    numberBeforeStreet: true,
    cities: ['Besançon', 'Nîmes', 'Orléans', "L'Haÿ-les-Roses", 'Rennes', 'Saint-Étienne'],
    postcode: '#####',
    phone: '+33 6 39 98 ## ##',
    ibanDigits: 23,
  },
  {
    code: 'PL',
    first: names(
      'Łukasz, Agnieszka, Błażej, Małgorzata, Paweł, Zuzanna, Grażyna, Jędrzej, Świętosława, Żaneta',
    ),
    last: names(
      'Wiśniewski, Dąbrowska, Łęcki, Śliwa, Żółkiewski, Kamiński, Wójcik, Zając, Gołębiewski, Pączek',
    ),
    familyNameFirst: false,
    streets: ['ul. Długa', 'ul. Świętego Jana', 'ul. Mickiewicza', 'al. Jerozolimskie', 'ul. Łąkowa'],
    numberBeforeStreet: false,
    cities: ['Kraków', 'Łódź', 'Gdańsk', 'Poznań', 'Wrocław'],
    postcode: '##-###',
    phone: '+48 000 ### ###',
    ibanDigits: 24,
  },
  {
    code: 'GR',
    first: names(
      'Γιώργος=giorgos, Ελένη=eleni, Νίκος=nikos, Αικατερίνη=katerina, Δημήτρης=dimitris, Σοφία=sofia, Θανάσης=thanasis, Χρυσούλα=chrysoula',
    ),
    last: names(
      'Παπαδόπουλος=papadopoulos, Οικονόμου=oikonomou, Γεωργίου=georgiou, Βλαχάκης=vlachakis, Αγγελίδη=angelidi, Κωνσταντίνου=konstantinou, Ξενάκης=xenakis',
    ),
    familyNameFirst: false,
    streets: ['Ερμού', 'Οδός Σταδίου', 'Αγίου Δημητρίου', 'Πατησίων', 'Εγνατία'],
    numberBeforeStreet: false,
    cities: ['Αθήνα', 'Θεσσαλονίκη', 'Πάτρα', 'Ηράκλειο'],
    postcode: '### ##',
    phone: '+30 690 000 ####',
    ibanDigits: 23,
  },
  {
    code: 'UA',
    first: names(
      "Оксана=oksana, Дмитро=dmytro, В'ячеслав=viacheslav, Соломія=solomiia, Тарас=taras, Ярослава=yaroslava, Богдан=bohdan, Людмила=liudmyla",
    ),
    last: names(
      "Шевченко=shevchenko, Кравець=kravets, Мар'яненко=marianenko, Бондаренко=bondarenko, Ткачук=tkachuk, Лисенко=lysenko, Гнатюк=hnatiuk",
    ),
    familyNameFirst: false,
    streets: ['вул. Шевченка', 'вул. Городоцька', 'просп. Свободи', 'вул. Садова', 'пл. Ринок'],
    numberBeforeStreet: false,
    cities: ['Львів', 'Київ', 'Одеса', 'Чернівці'],
    postcode: '#####',
    phone: '+380 00 ### ####',
    ibanDigits: 25,
  },
  {
    code: 'JP',
    first: names(
      '陽子=yoko, 健太=kenta, さくら=sakura, 大輔=daisuke, 美咲=misaki, 翔=sho, 恵=megumi, 拓也=takuya',
    ),
    last: names(
      '佐藤=sato, 鈴木=suzuki, 高橋=takahashi, 渡辺=watanabe, 伊藤=ito, 小林=kobayashi, 長谷川=hasegawa, 藤井=fujii',
    ),
    familyNameFirst: true,
    streets: ['本町1丁目', '中央2丁目', '緑が丘3丁目', '桜台4丁目', '旭町5丁目'],
    numberBeforeStreet: false,
    cities: ['札幌市', '横浜市', '京都市', '福岡市'],
    postcode: '###-####',
    phone: '+81 90 0000 ####',
  },
  {
    code: 'EG',
    first: names('فاطمة=fatma, محمود=mahmoud, نور=nour, ياسمين=yasmin, طارق=tarek, هدى=hoda, عمر=omar'),
    last: names(
      'الشريف=elsherif, منصور=mansour, عبد الرحمن=abdelrahman, حسن=hassan, السيد=elsayed, نجيب=naguib',
    ),
    familyNameFirst: false,
    streets: ['شارع النيل', 'شارع التحرير', 'شارع الجامعة', 'شارع البحر'],
    numberBeforeStreet: true,
    cities: ['القاهرة', 'الإسكندرية', 'أسوان'],
    postcode: '#####',
    phone: '+20 100 000 ####',
    ibanDigits: 25,
  },
];
