"""One small instance per family; every test of the contract asks all of them."""

from kerazoo.families.encoders import Encoder
from kerazoo.families.fcn import FCN
from kerazoo.families.resnet import ResNet
from kerazoo.families.resnet.cifar import ResNetCifar
from kerazoo.families.unet import UNet
from kerazoo.families.unetpp import UNetPlusPlus

RESNET = Encoder(name="resnet18", width=4)

TINY = {
    "unet": UNet(classes=2, filters=(4, 8, 12), norm=True, up="bilinear", dropout=0.1),
    "unet-valid": UNet(classes=3, filters=(4, 8, 12), padding="valid", dropout=0.0),
    "unet-encoder": UNet(
        classes=2, filters=(4, 4, 8, 8, 8), norm=True, up="nearest", encoder=RESNET, dropout=0.1
    ),
    "unetpp": UNetPlusPlus(classes=1, filters=(4, 8, 12), norm=True),
    "resnet": ResNet(classes=3, depth=18, width=4, ordering="full_preactivation", size=(64, 64)),
    "resnet-cifar": ResNetCifar(classes=3, depth=8, width=4),
    "fcn": FCN(classes=3, width=0.0625, upsampling="learned", dropout=0.0),
}
