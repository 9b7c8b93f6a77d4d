"""Words that only ask, in the languages whose questions are often put; data, lower case, accents as written."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ASKING_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "German": """
aber alle allem allen aller alles als also am an ander andere anderen arbeitet auch auf aus bei beim
bekomme bekommen bekommt bis brauche braucht brauchen bitte da dann darf das dass dauert dem den denn der des dich die
dies diese diesem diesen dieser dieses dir doch dort du durch dürfen ein eine einem einen einer eines er es etwas euch
euer für geben gegen geht gelten gibt gilt hab habe haben hat hatte heißt hier hoch häufig ich ihm ihn ihr ihre ihrem
ihren ihrer im in ins ist ja jede jedem jeden jeder jedes kann kein keine keinen kommt können könnte lang lange lautet
machen macht man mein meine meinem meinen meiner mich mir mit muss musst müssen nach nicht noch nur ob oder oft ohne
passiert pro sein seine sich sie sind so soll sollen sollte und uns unser unsere unter viel viele vom von vor wann war
waren warum was weit welche welchem welchen welcher welches wem wen wenn wer werde werden wessen wie wieso wieviel will
wir wird wirst wo wofür woher wohin womit worüber wozu wurde wurden während zu zum zur zwischen über""",
        "French": """
a ai alors au aucun aux avec avoir avons ce cela celle celui ces cet cette ceux chez combien comme
comment d dans de depuis des doit doivent donc dont du elle elles en entre es est et eux faire fait faut fois fréquence
il ils j je jusqu jusque l la laquelle le lequel les lesquelles lesquels leur leurs lui m ma mais me mes moi mon
même n ne nos notre nous on ont ou où par pas passe pendant peut peuvent peux plus pour pourquoi puis qu quand que quel
quelle quelles quels qui quoi s sa sans se sera ses si soit son sont sous sur t ta te tes toi ton tous tout toute toutes
trouve tu un une vers vos votre vous y à ça été être""",
        "Spanish": """
a al algo ante antes aquel así aunque cada como con contra cual cuales cualquier cuando cuanta cuantas
cuanto cuantos cuál cuáles cuándo cuánta cuántas cuánto cuántos cómo de debe deben debo del desde donde durante dónde e
el ella ellas ellos en entre era eres es esa ese eso esta estar estas este esto estos está están fue ha hace hacer hacia
hasta hay la las le les lo los me mi mis muy más nada ni no nos nosotros o otra otro para pasa pero por porque puede
pueden puedo que quien quienes quién quiénes qué se sea ser si sin sobre son su sus sí también te tengo tiene tienen
todo todos tu tus un una unas uno unos usted ustedes y ya yo él""",
        "Italian": """
a agli ai al alla alle allo anche avere c che chi ci come con cosa cui da dagli dai dal dalla dalle
deve devo devono degli dei del della delle dello di dopo dove dov e ed era essere fa fare fino fra gli ha hanno ho i il
in io l la le lei li lo loro lui ma me mi mia mio molto ne nei nel nella nelle nello noi non nostro o ogni per perché
però più posso possono prima può qual quale quali quando quanta quante quanti quanto quel quella quello questa queste
questi questo qui se sei senza si sia sono sta su sua sui sul sulla suo succede ti tra tu tuo tutti tutto un una uno
vi viene voi è""",
        "Portuguese": """
a ao aos as até cada com como contra da das de deve devem devo do dos e ela elas ele eles em entre
era essa esse esta este está estão eu fazer foi há isso isto já la lhe mais mas me mesmo meu minha muito na nas nem no
nos nossa nosso não o onde os ou para pela pelas pelo pelos pode podem por porque posso quais qual quando quanta quantas
quanto quantos que quem se sem ser seu seus sobre sou sua suas são também te tem ter todo todos tu um uma umas uns você
vocês à às é""",
        "Dutch": """
aan af al alle als altijd ben bij betekent bent dan dat de deze die dit doe doen doet door dus een elk
elke en er gaat gebeurt geen geldt geweest haar had heb hebben heeft hem hen het hij hoe hoeveel hoelang hoog hun iets
ik in is ja je jij jou jouw jullie kan kun kunnen lang maar mag me meer men met mij mijn moet moeten na naar niet nog nu
of om omdat onder ons onze ook op over per precies te tegen ten ter tot tussen u uit uw vaak van veel voor waar waarom
wanneer want was wat we welk welke werd wie wij word worden wordt zal ze zich zij zijn zo zonder zou""",
    }
)
